"""The specs of self-supervised auxiliary tasks, which predict the input and need no labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, PositiveInt

from mtl_core import MtlError
from mtl_core.builtins.task_kinds.self_supervised import BagOfWords, MaskedTokens, Reconstruction
from mtl_core.data.auxiliary_data import AuxiliaryData, AuxiliaryTask
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import HeadField
from mtl_core.plugins.specs import AuxiliarySpec

if TYPE_CHECKING:
    from mtl_core import TaskKindSpec


class _SelfSupervisedTask(AuxiliarySpec):
    """Base class: the keys of all self-supervised auxiliary tasks."""

    vocab_size: PositiveInt = 2000
    """Number of most frequent training words to predict; other words are ignored."""

    def _build_task(self, data: AuxiliaryData, kind: TaskKindSpec, head: HeadField) -> list[AuxiliaryTask]:
        """Build the task.

        Raises:
            MtlError: If the inputs are not tokens.
        """
        if not data.encoder.vocabulary:
            raise MtlError(
                "it predicts the words of the input, but the encoder has no word vocabulary; "
                "it needs a text encoder (`mtl plugins` lists the installed encoders)"
            )
        return [AuxiliaryTask(self.task_name, kind, head)]


class MaskedTokensTask(_SelfSupervisedTask):
    """Unsupervised: masked words, predicted from their context.

    The masked language modelling objective of Devlin et al. (2019), trained together with the main tasks as in
    Rei (2017), who predicts the previous and the next word. The other tasks read the unmasked input.
    """

    type: Literal["masked-tokens"] = "masked-tokens"
    mask_ratio: Annotated[float, Field(gt=0, le=0.5)] = 0.15
    """Share of the words that are masked, sampled in every step."""
    head: HeadField = default_type("token-linear")
    """The head, which predicts each masked word."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Build the task; its targets are the inputs.

        Raises:
            MtlError: If the inputs are not tokens.
        """
        return self._build_task(
            data, MaskedTokens(mask_ratio=self.mask_ratio, vocab_size=self.vocab_size), self.head
        )


class BagOfWordsTask(_SelfSupervisedTask):
    """Unsupervised: which words the input contains, in any order (Zhao et al., 2017)."""

    type: Literal["bag-of-words"] = "bag-of-words"
    head: HeadField = default_type("linear")
    """The head, which predicts the words of an input."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Build the task; its targets are the inputs.

        Raises:
            MtlError: If the inputs are not tokens.
        """
        return self._build_task(data, BagOfWords(vocab_size=self.vocab_size), self.head)


class ReconstructionTask(_SelfSupervisedTask):
    """Unsupervised: reconstruction of the input, word by word, from one vector (autoencoder; Dai and Le, 2015)."""

    type: Literal["reconstruction"] = "reconstruction"
    head: HeadField = default_type("sequence-decoder")
    """The head, which predicts the word at each position; `token-linear` reads the word itself: an easy task."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Build the task; its targets are the inputs.

        Raises:
            MtlError: If the inputs are not tokens.
        """
        return self._build_task(data, Reconstruction(vocab_size=self.vocab_size), self.head)
