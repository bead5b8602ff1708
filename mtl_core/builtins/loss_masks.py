"""Masks over labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtl_core.specs import LossMaskSpec

if TYPE_CHECKING:
    import torch

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.training.losses import LossMask


class Observed(LossMaskSpec):
    """Every label counts that is there; missing ones do not."""

    type: Literal["observed"] = "observed"

    def build(self, spaces: Sequence[LabelSpace]) -> LossMask:
        """Make the mask: the label space knows how a missing label is written."""
        return spaces[0].observed


class ExcludeLabels(LossMaskSpec):
    """Missing labels and the named ones do not count: not in the loss, the metrics or the class weights."""

    type: Literal["exclude-labels"] = "exclude-labels"
    labels: list[str] = ["absent"]
    """Labels that are never a class."""

    def excluded(self) -> frozenset[str]:
        """The named labels."""
        return frozenset(self.labels)

    def build(self, spaces: Sequence[LabelSpace]) -> LossMask:
        """Make the mask: one look-up of each code in a small table."""
        import torch

        from mtl_core.data.label_space import ClassSpace, MultiLabelSpace
        from mtl_core.errors import MtlError

        kept = []
        for space in spaces:
            if not isinstance(space, ClassSpace) or isinstance(space, MultiLabelSpace):
                raise MtlError("the mask 'exclude-labels' is for tasks with one class a label")
            # A named label may be a declared class too; then it has an output, but does not count either.
            kept.append([name not in self.labels for name in space.classes])
        codes = max(map(len, kept)) + 1  # the last one stands for all codes that are no class
        table = torch.tensor([[*row, *[False] * (codes - len(row))] for row in kept])

        def mask(targets: torch.Tensor) -> torch.Tensor:
            tasks = torch.arange(len(spaces), device=targets.device).view(1, -1, *[1] * (targets.ndim - 2))
            return (targets >= 0) & table.to(targets.device)[tasks, targets.clamp(0, codes - 1)]

        return mask
