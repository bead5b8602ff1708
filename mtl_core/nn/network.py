"""The network: an architecture from inputs to features, and heads on top of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.nn.architecture import Architecture, validate_features, validate_task_features
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.heads import HeadGroup, HeadOutput, SeparateHeads
from mtl_core.nn.task_features import TaskFeatures
from mtl_core.plugins.layouts import validate_layout
from mtl_core.plugins.specs import HeadSpec


class MultiTaskNetwork(nn.Module):
    """A network with several tasks.

    Args:
        trunk: Module from a batch of inputs to features: one for all tasks, or one per task.
        groups: One module per head group, from `Features` to the outputs of its tasks.
        group_sizes: The number of tasks per head group; required for features per task in groups of several tasks.
    """

    trunk: Architecture

    def __init__(
        self, trunk: Architecture, groups: Sequence[HeadGroup], group_sizes: Sequence[int] | None = None
    ) -> None:
        super().__init__()
        self.trunk = trunk
        self.groups = nn.ModuleList(groups)
        sizes = group_sizes if group_sizes is not None else [1] * len(groups)
        self._task_ranges = list(pairwise(accumulate(sizes, initial=0)))

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
        active = [
            [True] * (last - first) if mask is None else (mask.sum(dim=0) > 0).tolist()  # `any` is slower
            for mask, (first, last) in zip(masks, self._task_ranges, strict=True)
        ]
        outputs: list[HeadOutput | None] = [None] * len(self.groups)
        reads_unmasked = [index for index in range(len(active)) if any(active[index]) and index not in masked_inputs]
        if reads_unmasked:
            self._run(inputs, reads_unmasked, active, masks, outputs)
        for group_index, group_inputs in masked_inputs.items():
            if any(active[group_index]):
                self._run(group_inputs, [group_index], active, masks, outputs)
        return outputs

    def _run(
        self,
        inputs: Any,
        group_indices: Sequence[int],
        active: Sequence[Sequence[bool]],
        masks: Sequence[torch.Tensor | None],
        outputs: list[HeadOutput | None],
    ) -> None:
        """Compute the outputs of some head groups from one pass of the trunk."""
        active_tasks = [
            is_active and group_index in group_indices
            for group_index, active_in_group in enumerate(active)
            for is_active in active_in_group
        ]
        features = self.trunk(inputs, active_tasks)
        if not isinstance(features, Sequence) or len(features) not in {1, len(active_tasks)}:
            description = len(features) if isinstance(features, Sequence) else f"a {type(features).__name__}"
            raise MtlError(
                f"the architecture returned {description}, expected a list of one `Features` for all tasks, "
                f"or of one per task: {len(active_tasks)}"
            )
        if len(features) > 1:
            has_features = features.active if isinstance(features, TaskFeatures) else [f is not None for f in features]
            for task, (is_computed, is_active) in enumerate(zip(has_features, active_tasks, strict=True)):
                if is_active and not is_computed:
                    raise MtlError(f"the architecture returned None for task {task + 1}, which is active")
        for group_index in group_indices:
            group, (first, last) = self.groups[group_index], self._task_ranges[group_index]
            if len(features) == 1 or last - first == 1:
                group_features = features[first if len(features) > 1 else 0]
                if group_features is None:
                    raise MtlError("the architecture returned None for task 1, which is active")
                outputs[group_index] = group(validate_features(group_features, self.trunk.output), masks[group_index])
            else:
                outputs[group_index] = self._run_group(group, features, (first, last), masks[group_index])

    def _run_group(
        self,
        group: nn.Module,
        features: Sequence[Features | None],
        task_range: tuple[int, int],
        mask: torch.Tensor | None,
    ) -> HeadOutput:
        """Compute the outputs of several tasks from their features, as one tensor."""
        if isinstance(features, TaskFeatures):
            stacked = validate_task_features(features.select_tasks(*task_range), self.trunk.output)
            output: HeadOutput = group(stacked, mask)
            return output
        task_features = [
            None if one is None else validate_features(one, self.trunk.output) for one in features[slice(*task_range)]
        ]
        output = group(TaskFeatures.stack(task_features), mask)
        # A backward pass that starts here visits the layers of one task only.
        return replace(output, head_inputs=[None if one is None else one.values for one in task_features])

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


def build_stacked_heads(
    spec: HeadSpec, features: FeatureShape, outputs: int, names: Sequence[str], seed_task: Callable[[str], object]
) -> HeadGroup:
    """Build a head group whose initial weights for a task do not depend on the other tasks.

    Args:
        spec: The head; for several tasks, its group must read features per task.
        features: The shape of the features.
        outputs: Number of outputs per example, token or pixel.
        names: The task names.
        seed_task: Seeds torch's generator for the task of a name; called before its weights are drawn.

    Raises:
        MtlError: If the spec does not build a module, if the head does not read such features, or if a head that
            reads features per task has a parameter that is not stacked by task.
    """
    heads = []
    for name in names:
        seed_task(name)
        heads.append(build_head_group(spec, features, outputs, [name]))
    if len(heads) == 1:
        return heads[0]
    group = build_head_group(spec, features, outputs, names)
    stacked = group.stacked_parameters()
    if len(stacked) != len(list(group.parameters())):
        raise MtlError(
            f"head '{spec.type}': it sets `reads_task_features`, so `stacked_parameters` must return all of its "
            f"{len(list(group.parameters()))} parameters, found {len(stacked)}"
        )
    with torch.no_grad():
        for parameter, *rows in zip(stacked, *(head.stacked_parameters() for head in heads), strict=True):
            parameter.copy_(torch.cat(rows))
    return group


def count_parameters(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
