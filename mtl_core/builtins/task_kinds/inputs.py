"""Task kinds that predict the input itself, and so need no labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from mtl_core.config.seam_fields import MetricField
from mtl_core.errors import MtlError
from mtl_core.specs import Level, TaskKindSpec

if TYPE_CHECKING:
    from mtl_core.data.label_space import ClassSpace, FoundLabels, LabelSpace, MultiLabelSpace
    from mtl_core.training.kinds import TaskKind


def _accuracy() -> Any:
    return [{"type": "accuracy"}]


def _f1() -> Any:
    return [{"type": "micro-f1"}]


class _Inputs(TaskKindSpec):
    """What all of them say."""

    reads_inputs: ClassVar[bool] = True
    top: PositiveInt = 2000
    """How many of the most frequent words are told apart; others are not predicted."""

    def space(self, found: FoundLabels) -> ClassSpace:
        """The most frequent words.

        Raises:
            MtlError: If the encoder has no vocabulary.
        """
        from mtl_core.data.label_space import ClassSpace

        return ClassSpace(self._words(found))

    def restore_space(self, state: Mapping[str, Any]) -> ClassSpace:
        """The words of a saved run."""
        from mtl_core.data.label_space import ClassSpace

        return ClassSpace.from_state(state)

    def _words(self, found: FoundLabels) -> list[str]:
        words = list(found.vocabulary[: self.top])
        if len(words) < 2:
            raise MtlError(
                f"the kind '{self.type}' predicts words of the input, but the encoder has no vocabulary of tokens"
            )
        return words


class Reconstruction(_Inputs):
    """Each word of the input again, in its place (a sequence autoencoder; Dai and Le, 2015).

    With the head `sequence-decoder`, all words must be told from one vector. With `token-linear`, each word is told
    from its own token, which asks little.
    """

    type: Literal["reconstruction"] = "reconstruction"
    level: ClassVar[Level] = "token"
    metrics: list[MetricField] = Field(default_factory=_accuracy, validate_default=True, min_length=1)
    """What is measured; the first is the main one."""

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Make the run-time side."""
        from mtl_core.builtins.task_kinds.input_runtime import WordKind

        return WordKind(space.classes, self.metrics, hides=0.0)


class MaskedTokens(_Inputs):
    """Words that were hidden from the network, told from those around them (Devlin et al., 2019).

    The network reads such an input a second time; other tasks see it whole. While a run is scored, the same words
    are hidden each time.
    """

    type: Literal["masked-tokens"] = "masked-tokens"
    level: ClassVar[Level] = "token"
    share: Annotated[float, Field(gt=0, le=0.5)] = 0.15
    """Share of the words that are hidden."""
    metrics: list[MetricField] = Field(default_factory=_accuracy, validate_default=True, min_length=1)
    """What is measured; the first is the main one."""

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Make the run-time side."""
        from mtl_core.builtins.task_kinds.input_runtime import WordKind

        return WordKind(space.classes, self.metrics, hides=self.share)


class BagOfWords(_Inputs):
    """Which words the input holds, whatever their order (Zhao et al., 2017)."""

    type: Literal["bag-of-words"] = "bag-of-words"
    metrics: list[MetricField] = Field(default_factory=_f1, validate_default=True, min_length=1)
    """What is measured, on as many of the likeliest words as the input holds; the first is the main one."""

    def space(self, found: FoundLabels) -> MultiLabelSpace:
        """The most frequent words."""
        from mtl_core.data.label_space import MultiLabelSpace

        return MultiLabelSpace(self._words(found))

    def restore_space(self, state: Mapping[str, Any]) -> MultiLabelSpace:
        """The words of a saved run."""
        from mtl_core.data.label_space import MultiLabelSpace

        return MultiLabelSpace(state["classes"], state["excluded"])

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Make the run-time side."""
        from mtl_core.builtins.task_kinds.input_runtime import BagKind

        return BagKind(space.classes, self.metrics)
