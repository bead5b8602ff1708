"""Heads of several tasks as one module from features to outputs by task name."""

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.heads import HeadGroup
from mtl_core.nn.network import build_head_group
from mtl_core.plugins.resolve_spec import resolve_spec
from mtl_core.plugins.specs import HeadSpec

MAX_SEPARATE_HEADS = 20
"""Maximum number of tasks whose heads are separate modules if they share no parameters."""


class TaskHeads(nn.Module):
    """One head per task, for custom networks: tasks with equal heads are computed together where the head can.

    Args:
        features: The number of features per example, or the `FeatureShape` of sequences or spatial features.
        outputs: Mapping of task name to its number of outputs: the number of classes, 1 for one number.
        head: The head of all tasks: a name (`"linear"`), a spec, or a block with a `type`.
        heads: Mapping of task name to another head.

    Raises:
        MtlError: If a head is unknown, or does not read such features.

    Example:
        >>> heads = TaskHeads(8, {"topic": 4, "rating": 1})
        >>> {name: tuple(outputs.shape) for name, outputs in heads(torch.zeros(3, 8)).items()}
        {'topic': (3, 4), 'rating': (3, 1)}
    """

    def __init__(
        self,
        features: int | FeatureShape,
        outputs: Mapping[str, int],
        head: object = "linear",
        heads: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__()
        shape = features if isinstance(features, FeatureShape) else FeatureShape(features, sequence=False)
        heads = heads or {}
        for name in heads:
            if name not in outputs:
                hint = did_you_mean(name, outputs)
                raise MtlError(f"heads: there is no task '{name}'{hint} (tasks: {join_names(outputs)})")
        for name, count in outputs.items():
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise MtlError(f"outputs: expected a positive number of outputs of task '{name}', found {count!r}")
        default = _resolve_head(head, "head")
        groups: list[tuple[HeadSpec, int, list[str]]] = []
        for name, count in outputs.items():
            spec = _resolve_head(heads[name], f"heads: task '{name}'") if name in heads else default
            # Heads without a grouped form stay apart, so that the outputs of a task depend on its own head only. Few
            # heads that share nothing do so, too: then no parameter of a head is shared in the autograd graph.
            has_group = type(spec).build_group is not HeadSpec.build_group and (
                len(outputs) > MAX_SEPARATE_HEADS or _shares_parameters(spec, shape, count)
            )
            equal = (names for other, size, names in groups if has_group and (other, size) == (spec, count))
            if (group := next(equal, None)) is not None:
                group.append(name)
            else:
                groups.append((spec, count, [name]))
        self._shape = shape
        self.names = list(outputs)
        """The names of the tasks."""
        self._group_names = [names for _, _, names in groups]
        self.groups = nn.ModuleList([build_head_group(spec, shape, count, names) for spec, count, names in groups])

    def forward(self, features: torch.Tensor | Features, mask: torch.Tensor | None = None) -> dict[str, torch.Tensor]:
        """Compute the outputs of every task.

        Args:
            features: `(batch, width)`, `(batch, length, width)` for sequences, or `(batch, channels, height, width)`.
            mask: `(batch, length)`, bool, for sequences: True for tokens, False for padding; all tokens by default.

        Returns:
            Task name to outputs, `(batch, outputs)`, or `(batch, length, outputs)` for heads with outputs per token.

        Raises:
            MtlError: If the features have another shape.
        """
        if isinstance(features, torch.Tensor):
            if features.ndim == 3 and mask is None:
                mask = features.new_ones(features.shape[:2], dtype=torch.bool)
            features = Features(features, mask)
        is_spatial = self._shape.layout == "spatial"
        width = features.values.shape[1 if is_spatial else -1]
        n_dimensions = {"vector": 2, "sequence": 3, "spatial": 4}[self._shape.layout]
        if width != self._shape.width or features.values.ndim != n_dimensions:
            raise MtlError(
                f"features: expected {n_dimensions} dimensions and {self._shape.width} features, found "
                f"{tuple(features.values.shape)}"
            )
        outputs: dict[str, torch.Tensor] = {}
        for group, names in zip(self.groups, self._group_names, strict=True):
            outputs |= zip(names, group(features).outputs.unbind(dim=1), strict=True)
        return {name: outputs[name] for name in self.names}

    def list_stacked_parameters(self) -> list[tuple[nn.Parameter, Sequence[str]]]:
        """Return the parameters whose first dimension is the task, each with the names of its tasks."""
        return [
            (parameter, names)
            for group, names in zip(self.groups, self._group_names, strict=True)
            if isinstance(group, HeadGroup)
            for parameter in group.stacked_parameters()
        ]


def _shares_parameters(spec: HeadSpec, shape: FeatureShape, n_outputs: int) -> bool:
    """Return whether the heads of a group share parameters."""
    with torch.random.fork_rng(), torch.device("meta"):
        group = spec.build_group(shape, n_outputs, 2)
    if group is None:
        return False
    stacked = {id(parameter) for parameter in group.stacked_parameters()}
    return any(id(parameter) not in stacked for parameter in group.parameters())


def _resolve_head(head: object, location: str) -> HeadSpec:
    spec = resolve_spec("heads", head, location)
    assert isinstance(spec, HeadSpec)  # noqa: S101  the extension point's base class
    return spec
