"""The spec of the auxiliary task that predicts word frequencies."""

import math
from collections.abc import Sequence
from typing import Literal

from mtl_auxiliary.word_counts import count_words, iterate_words, normalize_word, require_words
from mtl_core import AuxiliaryData, AuxiliarySpec, AuxiliaryTask, HeadField, TokenRegression, default_type


class WordFrequency(AuxiliarySpec):
    """Statistical: the frequency of each word in the training data, as log(1 + count).

    Similar to Plank, Søgaard and Goldberg (2016), who predict classes of log frequency to improve rare words; here
    the target is the logarithm itself. Counts ignore case. The target of an out-of-vocabulary word is 0.
    """

    type: Literal["word-frequency"] = "word-frequency"
    head: HeadField = default_type("token-linear")
    """The head, which predicts one number per word."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Count the training words and build the task.

        Raises:
            MtlError: If no training input contains words.
        """
        require_words(data)
        counts = count_words(data, data.train_rows.tolist())
        labels = [[math.log1p(counts[normalize_word(word)]) for word in words] for words in iterate_words(data)]
        return [AuxiliaryTask(self.task_name, TokenRegression(), self.head, labels)]
