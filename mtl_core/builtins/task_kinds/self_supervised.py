"""Self-supervised task kinds, which predict the input itself and need no labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, PositiveInt

from mtl_core.errors import MtlError
from mtl_core.plugins.spec_fields import MetricField
from mtl_core.plugins.specs import Level, TaskKindSpec

if TYPE_CHECKING:
    from mtl_core.data.label_space import ClassSpace, LabelSpace, LabelStatistics, MultiLabelSpace
    from mtl_core.nn.task_kind import TaskKind


def _accuracy_metrics() -> Any:
    return [{"type": "accuracy"}]


def _f1_metrics() -> Any:
    return [{"type": "micro-f1"}]


class _SelfSupervisedSpec(TaskKindSpec):
    """Base class: the keys of all self-supervised kinds."""

    reads_inputs: ClassVar[bool] = True
    vocab_size: PositiveInt = 2000
    """Number of most frequent words to predict; other words are ignored."""

    def build_space(self, label_statistics: LabelStatistics) -> ClassSpace:
        """Return the label space of the most frequent words.

        Raises:
            MtlError: If the encoder has no vocabulary.
        """
        from mtl_core.data.label_space import ClassSpace

        return ClassSpace(self._select_words(label_statistics))

    def restore_space(self, state: Mapping[str, Any]) -> ClassSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.label_space import ClassSpace

        return ClassSpace.from_state(state)

    def _select_words(self, label_statistics: LabelStatistics) -> list[str]:
        words = list(label_statistics.vocabulary[: self.vocab_size])
        if len(words) < 2:
            raise MtlError(
                f"the kind '{self.type}' predicts words of the input, but the encoder has no vocabulary of tokens"
            )
        return words


class Reconstruction(_SelfSupervisedSpec):
    """Sequence autoencoder: reconstruction of each word of the input (Dai and Le, 2015).

    With the head `sequence-decoder`, all words are predicted from one vector. With `token-linear`, each word is
    predicted from its own token, which is a much easier task.
    """

    type: Literal["reconstruction"] = "reconstruction"
    level: ClassVar[Level] = "token"
    metrics: list[MetricField] = Field(default_factory=_accuracy_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.input_runtime import WordKind

        return WordKind(space.classes, self.metrics, mask_ratio=0.0)


class MaskedTokens(_SelfSupervisedSpec):
    """Masked language modelling: masked words, predicted from their context (Devlin et al., 2019).

    The network reads the masked input in a second pass; other tasks read it unmasked. In evaluation, the same words
    are masked each time.
    """

    type: Literal["masked-tokens"] = "masked-tokens"
    level: ClassVar[Level] = "token"
    mask_ratio: Annotated[float, Field(gt=0, le=0.5)] = 0.15
    """Fraction of the words that are masked."""
    metrics: list[MetricField] = Field(default_factory=_accuracy_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.input_runtime import WordKind

        return WordKind(space.classes, self.metrics, mask_ratio=self.mask_ratio)


class BagOfWords(_SelfSupervisedSpec):
    """Prediction of the set of words in the input, without their order (Zhao et al., 2017)."""

    type: Literal["bag-of-words"] = "bag-of-words"
    metrics: list[MetricField] = Field(default_factory=_f1_metrics, validate_default=True, min_length=1)
    """The metrics, computed on the k most probable words for an input of k words; the first is the main metric."""

    def build_space(self, label_statistics: LabelStatistics) -> MultiLabelSpace:
        """Return the label space of the most frequent words."""
        from mtl_core.data.label_space import MultiLabelSpace

        return MultiLabelSpace(self._select_words(label_statistics))

    def restore_space(self, state: Mapping[str, Any]) -> MultiLabelSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.label_space import MultiLabelSpace

        return MultiLabelSpace(state["classes"], state["excluded"])

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.input_runtime import BagKind

        return BagKind(space.classes, self.metrics)
