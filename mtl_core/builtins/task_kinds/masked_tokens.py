"""The task kind `masked-tokens`: masked words of the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mtl_core.builtins.task_kinds.self_supervised import SelfSupervisedSpec, default_metrics
from mtl_core.plugins.spec_fields import MetricField
from mtl_core.plugins.specs import Level

if TYPE_CHECKING:
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.task_kind import TaskKind


class MaskedTokens(SelfSupervisedSpec):
    """Masked language modelling: masked words, predicted from their context (Devlin et al., 2019).

    The network reads the masked input in a second pass; other tasks read it unmasked. In evaluation, the same words
    are masked each time.
    """

    type: Literal["masked-tokens"] = "masked-tokens"
    level: ClassVar[Level] = "token"
    mask_ratio: Annotated[float, Field(gt=0, le=0.5)] = 0.15
    """Fraction of the words that are masked."""
    metrics: list[MetricField] = Field(default_factory=default_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.runtime.word_prediction import WordKind

        return WordKind(space.classes, self.metrics, mask_ratio=self.mask_ratio)
