"""The network: an architecture from inputs to features, and heads on top of it."""

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
    """A network with several tasks.

    Args:
        body: Module from a batch of inputs to features: one for all head groups, or one per head group.
        groups: One module per head group, from `Features` to the outputs of its tasks.
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
        """Compute the outputs of every task, one head group at a time.

        Args:
            inputs: The batch that the encoder's `collate` returned.
            wanted: `(batch, tasks)`, bool, per head group: which outputs are used. The other outputs are undefined,
                and heads skip them where they can; a head group without used outputs is skipped.
                None computes all outputs.
            hidden: Mapping of head group index to the inputs with masked tokens that the group reads instead.

        Returns:
            The outputs of each head group; None for a skipped group.
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
                f"the architecture returned {found}, expected a list of one `Features` for all tasks, "
                f"or of one per task: {len(active)}"
            )
        for place, group in enumerate(self.groups):
            if active[place]:
                own = features[place if len(features) > 1 else 0]
                if own is None:
                    raise MtlError(f"the architecture returned None for task {place + 1}, which is active")
                outputs[place] = group(checked_features(own, self.body.output), masks[place])

    def head_groups(self) -> list[HeadGroup]:
        """Return the head groups, with their type."""
        return [group for group in self.groups if isinstance(group, HeadGroup)]


def build_head_group(spec: HeadSpec, features: FeatureShape, outputs: int, names: Sequence[str]) -> HeadGroup:
    """Build one module for all named tasks, or one module per task if the spec has no grouped form.

    Args:
        spec: The head.
        features: The shape of the features.
        outputs: Number of outputs per example, or per token.
        names: The task names.

    Raises:
        MtlError: If the spec does not build a module, or if a head for tokens receives features per example.
    """
    if spec.level == "token" and not features.sequence:
        raise MtlError(
            f"the head '{spec.type}' returns one output per token, but the backbone one vector per example"
        )
    group = spec.build_group(features, outputs, len(names))
    if group is not None:
        return group
    heads = [spec.build(features, outputs) for _ in names]
    for head in heads:
        if not isinstance(head, nn.Module):
            raise MtlError(f"head '{spec.type}': its build returned {head!r}, expected a torch module")
    return SeparateHeads(names, heads, outputs, spec.level)


def parameter_count(network: nn.Module) -> int:
    """Return the number of trainable parameters."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)
