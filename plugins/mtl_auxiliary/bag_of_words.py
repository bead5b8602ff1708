"""The spec of the auxiliary task that predicts the words of the input, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mtl_auxiliary.self_supervised import SelfSupervisedTask
from mtl_core import AuxiliaryData, AuxiliaryTask, BagOfWords, HeadField, default_type


class BagOfWordsTask(SelfSupervisedTask):
    """Unsupervised: which words the input contains, in any order (Zhao et al., 2017)."""

    type: Literal["bag-of-words"] = "bag-of-words"
    head: HeadField = default_type("linear")
    """The head, which predicts the words of an input."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Build the task; its targets are the inputs.

        Raises:
            MtlError: If the inputs are not tokens.
        """
        return self.build_task(data, BagOfWords(vocab_size=self.vocab_size), self.head)
