"""The task kind `reconstruction`: the words of the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from mtl_core.builtins.task_kinds.self_supervised import SelfSupervisedSpec, default_metrics
from mtl_core.plugins.spec_fields import MetricField
from mtl_core.plugins.specs import Level

if TYPE_CHECKING:
    from mtl_core.data.label_space import LabelSpace
    from mtl_core.nn.task_kind import TaskKind


class Reconstruction(SelfSupervisedSpec):
    """Sequence autoencoder: reconstruction of each word of the input (Dai and Le, 2015).

    With the head `sequence-decoder`, all words are predicted from one vector. With `token-linear`, each word is
    predicted from its own token, which is a much easier task.
    """

    type: Literal["reconstruction"] = "reconstruction"
    level: ClassVar[Level] = "token"
    metrics: list[MetricField] = Field(default_factory=default_metrics, validate_default=True, min_length=1)
    """The metrics; the first is the main metric."""

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        """Build the run-time class."""
        from mtl_core.builtins.task_kinds.runtime.word_prediction import WordKind

        return WordKind(space.classes, self.metrics, mask_ratio=0.0)
