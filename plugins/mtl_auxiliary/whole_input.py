"""Auxiliary tasks that predict all parts of the input, and so need no labels at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core import MtlError
from mtl_core.builtins.task_kinds.inputs import BagOfWords, MaskedTokens, Reconstruction
from mtl_core.config.by_registry import default_type
from mtl_core.config.seam_fields import HeadField
from mtl_core.data.auxiliary import AuxiliaryData, AuxiliaryTask
from mtl_core.specs import AuxiliarySpec

if TYPE_CHECKING:
    from mtl_core import TaskKindSpec


class _WholeInput(AuxiliarySpec):
    """What all of them say."""

    top: PositiveInt = 2000
    """How many of the most frequent training words are told apart; others are not predicted."""

    def _one(self, data: AuxiliaryData, kind: TaskKindSpec, head: HeadField) -> list[AuxiliaryTask]:
        """Make the task.

        Raises:
            MtlError: If inputs are no tokens.
        """
        if not data.encoder.vocabulary:
            raise MtlError(
                "it predicts the words of the input, but the encoder has no vocabulary of words; "
                "it needs an encoder of texts (`mtl plugins` lists those that are installed)"
            )
        return [AuxiliaryTask(self.task_name, kind, head)]


class MaskedTokensTask(_WholeInput):
    """Unsupervised: words that were hidden from the network, told from those around them.

    The objective of Devlin et al. (2019), learned beside the main tasks as Rei (2017) does with the words before
    and after each word. The other tasks see every word.
    """

    type: Literal["masked-tokens"] = "masked-tokens"
    share: Annotated[float, Field(gt=0, le=0.5)] = 0.15
    """Share of the words that are hidden, drawn anew in every step."""
    head: HeadField = default_type("token-linear")
    """Learns a word for each hidden one."""

    def tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Make the task; its labels are the inputs.

        Raises:
            MtlError: If inputs are no tokens.
        """
        return self._one(data, MaskedTokens(share=self.share, top=self.top), self.head)


class BagOfWordsTask(_WholeInput):
    """Unsupervised: which words the input holds, whatever their order (Zhao et al., 2017)."""

    type: Literal["bag-of-words"] = "bag-of-words"
    head: HeadField = default_type("linear")
    """Learns the words of an input."""

    def tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Make the task; its labels are the inputs.

        Raises:
            MtlError: If inputs are no tokens.
        """
        return self._one(data, BagOfWords(top=self.top), self.head)


class ReconstructionTask(_WholeInput):
    """Unsupervised: the whole input again, word by word, from one vector (an autoencoder; Dai and Le, 2015)."""

    type: Literal["reconstruction"] = "reconstruction"
    head: HeadField = default_type("sequence-decoder")
    """Learns the word at each place; with `token-linear`, it may look at the word itself, which asks little."""

    def tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Make the task; its labels are the inputs.

        Raises:
            MtlError: If inputs are no tokens.
        """
        return self._one(data, Reconstruction(top=self.top), self.head)
