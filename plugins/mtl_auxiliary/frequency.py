"""The auxiliary task of guessing how frequent each word is."""

import math
from collections.abc import Sequence
from typing import Literal

from mtl_auxiliary.words import all_words, count_words, require_words, same_word
from mtl_core.builtins.task_kinds.regression import TokenRegression
from mtl_core.config.by_registry import default_type
from mtl_core.config.seam_fields import HeadField
from mtl_core.data.auxiliary import AuxiliaryData, AuxiliaryTask
from mtl_core.specs import AuxiliarySpec


class WordFrequency(AuxiliarySpec):
    """Statistical: how frequent each word is in the training data, as the logarithm of 1 and its count.

    After Plank, Søgaard and Goldberg (2016), who told classes of log frequency apart to help with rare words; here
    the logarithm itself is learned. Capital and small letters count as one; a word that training never saw has 0.
    """

    type: Literal["word-frequency"] = "word-frequency"
    head: HeadField = default_type("token-linear")
    """Learns a number for each word."""

    def tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Count the training words.

        Raises:
            MtlError: If inputs have no words.
        """
        require_words(data)
        counts = count_words(data, data.train.tolist())
        labels = [[math.log1p(counts[same_word(word)]) for word in words] for words in all_words(data)]
        return [AuxiliaryTask(self.task_name, TokenRegression(), self.head, labels)]
