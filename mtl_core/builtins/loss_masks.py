"""Loss masks: which labels contribute to the loss."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from mtl_core.plugins.specs import LossMaskSpec

if TYPE_CHECKING:
    import torch

    from mtl_core.data.label_space import LabelSpace
    from mtl_core.data.loss_mask import LossMask


class Observed(LossMaskSpec):
    """Mask that selects every label that is not missing."""

    type: Literal["observed"] = "observed"

    def build(self, spaces: Sequence[LabelSpace]) -> LossMask:
        """Return the label space's own mask, which encodes how a missing label is represented."""
        return spaces[0].compute_label_mask


class ExcludeLabels(LossMaskSpec):
    """Mask that excludes missing labels and the listed labels from the loss, the metrics and the class weights."""

    type: Literal["exclude-labels"] = "exclude-labels"
    labels: list[str] = ["absent"]
    """Labels that are excluded."""

    def list_excluded_labels(self) -> frozenset[str]:
        """Return the excluded labels."""
        return frozenset(self.labels)

    def build(self, spaces: Sequence[LabelSpace]) -> LossMask:
        """Build the mask: one lookup per code in a small table."""
        import torch

        from mtl_core.data.class_space import ClassSpace, MultiLabelSpace
        from mtl_core.errors import MtlError

        class_masks = []
        for space in spaces:
            if not isinstance(space, ClassSpace) or isinstance(space, MultiLabelSpace):
                raise MtlError("the mask 'exclude-labels' is for tasks with one class per label")
            # An excluded label may be a declared class too; then it has an output, but is masked as well.
            class_masks.append([name not in self.labels for name in space.classes])
        n_codes = max(map(len, class_masks)) + 1  # the last one represents all codes that are not a class
        lookup = torch.tensor([[*row, *[False] * (n_codes - len(row))] for row in class_masks])

        def mask(targets: torch.Tensor) -> torch.Tensor:
            tasks = torch.arange(len(spaces), device=targets.device).view(1, -1, *[1] * (targets.ndim - 2))
            return (targets >= 0) & lookup.to(targets.device)[tasks, targets.clamp(0, n_codes - 1)]

        return mask
