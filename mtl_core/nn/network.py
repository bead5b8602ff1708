"""The network: an architecture from inputs to features, and heads on top of it."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.nn.architecture import Architecture, validate_features
from mtl_core.nn.features import FeatureShape
from mtl_core.nn.heads import HeadGroup, HeadOutput, SeparateHeads
from mtl_core.plugins.layouts import validate_layout
from mtl_core.plugins.specs import HeadSpec


class MultiTaskNetwork(nn.Module):
    """A network with several tasks.

    Args:
        trunk: Module from a batch of inputs to features: one for all head groups, or one per head group.
        groups: One module per head group, from `Features` to the outputs of its tasks.
    """

    trunk: Architecture

    def __init__(self, trunk: Architecture, groups: Sequence[HeadGroup]) -> None:
        super().__init__()
        self.trunk = trunk
        self.groups = nn.ModuleList(groups)

    def forward(
        self,
        inputs: Any,
        output_masks: Sequence[torch.Tensor | None] | None = None,
        masked_inputs: Mapping[int, Any] | None = None,
    ) -> list[HeadOutput | None]:
        """Compute the outputs of every task, one head group at a time.

        Args:
            inputs: The batch that the encoder's `collate` returned.
            output_masks: `(batch, tasks)`, bool, per head group: which outputs are used. The other outputs are
                undefined, and heads skip them where they can; a head group without used outputs is skipped.
                None computes all outputs.
            masked_inputs: Mapping of head group index to the inputs with masked tokens that it reads instead.

        Returns:
            The outputs of each head group; None for a skipped group.
        """
        masks = output_masks if output_masks is not None else [None] * len(self.groups)
        masked_inputs = masked_inputs or {}
        active = [mask is None or bool(mask.any()) for mask in masks]
        outputs: list[HeadOutput | None] = [None] * len(self.groups)
        reads_unmasked = [
            is_active and group_index not in masked_inputs for group_index, is_active in enumerate(active)
        ]
        if any(reads_unmasked):
            self._run(inputs, reads_unmasked, masks, outputs)
        for group_index, group_inputs in masked_inputs.items():
            if active[group_index]:
                self._run(group_inputs, [index == group_index for index in range(len(active))], masks, outputs)
        return outputs

    def _run(
        self,
        inputs: Any,
        active: Sequence[bool],
        masks: Sequence[torch.Tensor | None],
        outputs: list[HeadOutput | None],
    ) -> None:
        features = self.trunk(inputs, active)
        if not isinstance(features, Sequence) or len(features) not in {1, len(active)}:
            description = len(features) if isinstance(features, Sequence) else f"a {type(features).__name__}"
            raise MtlError(
                f"the architecture returned {description}, expected a list of one `Features` for all tasks, "
                f"or of one per task: {len(active)}"
            )
        for group_index, group in enumerate(self.groups):
            if active[group_index]:
                group_features = features[group_index if len(features) > 1 else 0]
                if group_features is None:
                    raise MtlError(f"the architecture returned None for task {group_index + 1}, which is active")
                outputs[group_index] = group(validate_features(group_features, self.trunk.output), masks[group_index])

    def head_groups(self) -> list[HeadGroup]:
        """Return the head groups, with their type."""
        return [group for group in self.groups if isinstance(group, HeadGroup)]


def build_head_group(spec: HeadSpec, features: FeatureShape, outputs: int, names: Sequence[str]) -> HeadGroup:
    """Build one module for all named tasks, or one module per task if the spec has no grouped form.

    Args:
        spec: The head.
        features: The shape of the features.
        outputs: Number of outputs per example, token or pixel.
        names: The task names.

    Raises:
        MtlError: If the spec does not build a module, or if the head does not read such features.
    """
    validate_layout(spec, features.layout)
    if spec.level == "token" and not features.sequence:
        raise MtlError(f"the head '{spec.type}' returns one output per token, but the backbone one vector per example")
    if spec.level == "pixel" and features.image_size is None:
        raise MtlError(
            f"the head '{spec.type}' returns one output per pixel, but the size of the images is unknown: the encoder "
            "gives no images of one size, or the backbone does not pass on `image_size`"
        )
    group = spec.build_group(features, outputs, len(names))
    if group is not None:
        return group
    heads = [spec.build(features, outputs) for _ in names]
    for head in heads:
        if not isinstance(head, nn.Module):
            raise MtlError(f"head '{spec.type}': its build returned {head!r}, expected a torch module")
    return SeparateHeads(names, heads, outputs, spec.level, features.image_size)


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
