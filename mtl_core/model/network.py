"""The network: an architecture from inputs to features, and the heads that read them."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.model.architecture import Architecture, checked_features
from mtl_core.model.features import FeatureShape
from mtl_core.model.heads import HeadGroup, HeadOutput, SeparateHeads
from mtl_core.specs import HeadSpec


class MultiTaskNetwork(nn.Module):
    """Many tasks in one network.

    Args:
        body: From a batch of inputs to features: one that all groups of tasks read, or one a group.
        groups: From `Features` to the outputs of a group of tasks, each.
    """

    body: Architecture

    def __init__(self, body: Architecture, groups: Sequence[HeadGroup]) -> None:
        super().__init__()
        self.body = body
        self.groups = nn.ModuleList(groups)

    def forward(
        self,
        inputs: Any,
        wanted: Sequence[torch.Tensor | None] | None = None,
        hidden: Mapping[int, Any] | None = None,
    ) -> list[HeadOutput | None]:
        """Compute the outputs of every task, a group at a time.

        Args:
            inputs: What the encoder's `collate` gave.
            wanted: `(batch, tasks)`, bool, a group: which outputs will be used. The others may be anything, and
                cost as little as the heads can make them cost; a group of which nothing is wanted is left out.
                None wants all.
            hidden: Place of a group to other inputs that it reads instead: those with some tokens hidden.

        Returns:
            What each group says; None for a group that was left out.
        """
        masks = wanted if wanted is not None else [None] * len(self.groups)
        hidden = hidden or {}
        active = [mask is None or bool(mask.any()) for mask in masks]
        outputs: list[HeadOutput | None] = [None] * len(self.groups)
        plain = [on and place not in hidden for place, on in enumerate(active)]
        if any(plain):
            self._run(inputs, plain, masks, outputs)
        for place, other in hidden.items():
            if active[place]:
                self._run(other, [at == place for at in range(len(active))], masks, outputs)
        return outputs

    def _run(
        self,
        inputs: Any,
        active: Sequence[bool],
        masks: Sequence[torch.Tensor | None],
        outputs: list[HeadOutput | None],
    ) -> None:
        features = self.body(inputs, active)
        if not isinstance(features, Sequence) or len(features) not in {1, len(active)}:
            found = len(features) if isinstance(features, Sequence) else f"a {type(features).__name__}"
            raise MtlError(
                f"the architecture gave {found}, expected a list of one `Features` for all tasks, "
                f"or of one for each: {len(active)}"
            )
        for place, group in enumerate(self.groups):
            if active[place]:
                own = features[place if len(features) > 1 else 0]
                if own is None:
                    raise MtlError(f"the architecture gave nothing for task {place + 1}, which is active")
                outputs[place] = group(checked_features(own, self.body.output), masks[place])

    def head_groups(self) -> list[HeadGroup]:
        """The groups, typed."""
        return [group for group in self.groups if isinstance(group, HeadGroup)]


def build_head_group(spec: HeadSpec, features: FeatureShape, outputs: int, names: Sequence[str]) -> HeadGroup:
    """Build one module for all the named tasks, or one for each if the spec has no grouped form.

    Raises:
        MtlError: If the spec builds something that is no module, or is for tokens where there are none.
    """
    if spec.level == "token" and not features.sequence:
        raise MtlError(
            f"the head '{spec.type}' gives an output a token, but the backbone gives one vector an example"
        )
    group = spec.build_group(features, outputs, len(names))
    if group is not None:
        return group
    heads = [spec.build(features, outputs) for _ in names]
    for head in heads:
        if not isinstance(head, nn.Module):
            raise MtlError(f"head '{spec.type}': its build gave {head!r}, expected a torch module")
    return SeparateHeads(names, heads, outputs, spec.level)


def parameter_count(network: nn.Module) -> int:
    """Count the numbers that training can move."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
