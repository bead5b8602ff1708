"""A backbone, a head and an architecture: correct, or with the fault that `wrong` names, one fault per check."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import nn

from mtl_core import BackboneSpec, Features, FeatureShape, FusionSpec, HeadSpec
from mtl_core.nn.architecture import Architecture, NetworkParts
from mtl_core.nn.heads import HeadGroup, HeadOutput
from mtl_core.plugins.specs import ArchitectureSpec


class _Faulty(nn.Module):
    """One linear layer with the faults that any module can have."""

    def __init__(self, width: int, wrong: str) -> None:
        super().__init__()
        if wrong == "seed":
            torch.manual_seed(0)
        self.wrong = wrong
        self.layer = nn.Linear(width, width)
        self.idle = nn.Linear(1, 1) if wrong == "gradients" else None
        self.outside_the_state = [torch.randn(width)] if wrong == "save-and-load" else []

    def transform(self, features: Features) -> torch.Tensor:
        values = features.values
        match self.wrong:
            case "padding" if features.mask is not None:
                values = values + values.mean(dim=1, keepdim=True)
            case "batch-order":
                values = values + torch.arange(len(values)).view(-1, *[1] * (values.ndim - 1))
            case "batch-invariance":
                values = values * len(values)
            case "evaluation":
                values = values + torch.randn_like(values)
            case "inputs-unchanged":
                values.data.add_(1)
        outputs: torch.Tensor = self.layer(values)
        return outputs + self.outside_the_state[0] if self.outside_the_state else outputs


class WrongBackbone(BackboneSpec):
    """A layer applied to every token."""

    type: Literal["wrong-backbone"] = "wrong-backbone"
    wrong: str = ""
    """Its fault."""

    def build(self, inputs: FeatureShape) -> nn.Module:
        if self.wrong == "accepts":
            raise KeyError("no such features")
        return _Backbone(inputs, self.wrong)


class _Backbone(_Faulty):
    def __init__(self, inputs: FeatureShape, wrong: str) -> None:
        super().__init__(inputs.width, wrong)
        self.output = FeatureShape(inputs.width + (wrong == "shape"), inputs.sequence)

    def forward(self, features: Features) -> Features:
        return Features(self.transform(features), features.mask)


class WrongFusion(FusionSpec):
    """A layer applied to one vector per column."""

    type: Literal["wrong-fusion"] = "wrong-fusion"
    wrong: str = ""
    """Its fault."""

    def build(self, inputs: Mapping[str, FeatureShape]) -> nn.Module:
        if self.wrong == "accepts":
            raise KeyError("no such features")
        return _Fusion(sum(shape.width for shape in inputs.values()), self.wrong)


class _Fusion(_Faulty):
    def __init__(self, width: int, wrong: str) -> None:
        super().__init__(width, wrong)
        self.output = FeatureShape(width + (wrong == "shape"))

    def forward(self, columns: Mapping[str, Features]) -> Features:
        vectors = [
            features.values.mean(dim=1)
            if self.wrong == "padding" and features.mask is not None
            else features.mean_pool()
            for features in columns.values()
        ]
        if self.wrong == "columns":
            vectors[-1] = vectors[0]
        if self.wrong == "inputs-unchanged":
            for features in columns.values():
                features.values.data.add_(1)
        return Features(self.transform(Features(torch.cat(vectors, dim=1))))


class WrongHead(HeadSpec):
    """A shared layer, attention pooling over tokens, and one matrix per task."""

    type: Literal["wrong-head"] = "wrong-head"
    wrong: str = ""
    """Its fault."""

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        raise NotImplementedError

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup:
        if self.wrong == "accepts":
            raise KeyError("no such features")
        return _Heads(inputs, outputs, tasks, self.wrong)


class _Heads(HeadGroup):
    def __init__(self, inputs: FeatureShape, outputs: int, tasks: int, wrong: str) -> None:
        super().__init__()
        self.wrong = wrong
        self.shared = _Faulty(inputs.width, wrong)
        self.queries = nn.Parameter(torch.randn(tasks, inputs.width))
        self.weight = nn.Parameter(torch.randn(tasks, inputs.width, outputs))

    def stacked_parameters(self) -> list[nn.Parameter]:
        return [self.queries] if self.wrong == "task-parameters" else [self.queries, self.weight]

    def forward(self, features: Features, output_mask: torch.Tensor | None = None) -> HeadOutput:
        values = self.shared.transform(features)
        attention = None
        pooled = values.unsqueeze(1) * self.queries if features.mask is None else values
        if features.mask is not None:
            scores = (self.queries @ values.transpose(1, 2)).masked_fill(~features.mask.unsqueeze(1), -torch.inf)
            attention = scores.softmax(dim=2)
            pooled = attention @ values
        outputs = torch.einsum("btw,two->bto", pooled, self.weight)
        if self.wrong == "shape":
            outputs = outputs[:, :1]
        if self.wrong == "grouped":
            outputs = outputs / len(self.queries)
        if self.wrong == "attention" and attention is not None:
            attention = attention * 2
        if self.wrong == "output-mask" and output_mask is not None:
            outputs = outputs * output_mask.sum(dim=1).view(-1, 1, 1)
        return HeadOutput(outputs, attention)


class WrongArchitecture(ArchitectureSpec):
    """A shared trunk with one layer per task."""

    type: Literal["wrong-architecture"] = "wrong-architecture"
    wrong: str = ""
    """Its fault."""

    def build(self, parts: NetworkParts, tasks: Sequence[str]) -> Architecture:
        if self.wrong == "accepts":
            raise KeyError("no such features")
        return _Branches(parts, len(tasks), self.wrong)


class _Branches(Architecture):
    def __init__(self, parts: NetworkParts, tasks: int, wrong: str) -> None:
        super().__init__()
        self.wrong = wrong
        self.input_layer = parts.input_layer()
        self.output = self.input_layer.output  # type: ignore[assignment]
        self.shared = _Faulty(self.output.width, wrong)
        self.branches = nn.ModuleList([parts.backbone(self.output) for _ in range(tasks)])

    def forward(self, inputs: Any, active: Sequence[bool]) -> Sequence[Features | None]:
        features = self.input_layer(inputs if self.wrong != "inputs-unchanged" else self._modify_inputs(inputs))
        shared = Features(self.shared.transform(features), features.mask)
        if self.wrong == "active":
            shared = Features(shared.values * sum(active), shared.mask)
        features_by_task = [
            branch(shared) if is_active else None for branch, is_active in zip(self.branches, active, strict=True)
        ]
        return features_by_task[:2] if self.wrong == "shape" else features_by_task

    def _modify_inputs(self, inputs: Features) -> Features:
        inputs.values.data.add_(1)
        return inputs

    def regularization_loss(self) -> torch.Tensor | None:
        first = next(self.branches[0].parameters())
        return first.square() if self.wrong == "regularization-loss" else first.square().sum()

    def task_parameters(self, task: int) -> list[nn.Parameter]:
        return [] if self.wrong == "task-parameters" else list(self.branches[task].parameters())
