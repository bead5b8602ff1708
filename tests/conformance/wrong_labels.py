"""A loss, a mask, a metric and a task kind: correct, or with the fault that `wrong` names."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

import numpy as np
import torch
import torchmetrics
from numpy.typing import NDArray
from torch import nn

from mtl_core import Label, LossMaskSpec, LossSpec, MetricSpec, MtlError, TaskKindSpec
from mtl_core.builtins.metrics.label_sums import append_count
from mtl_core.builtins.metrics.macro_f1 import MacroF1
from mtl_core.builtins.task_kinds.runtime.classification import ClassificationKind
from mtl_core.data.class_space import ClassSpace
from mtl_core.data.label_space import LabelSpace
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.loss_mask import LossMask
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.nn.task_kind import LabelPrediction, TaskKind


class WrongLoss(LossSpec):
    """Cross entropy."""

    type: Literal["wrong-loss"] = "wrong-loss"
    wrong: str = ""
    """Its fault."""

    def build(self) -> nn.Module:
        return _Loss(self.wrong)


class _Loss(nn.Module):
    def __init__(self, wrong: str) -> None:
        super().__init__()
        self.wrong, self.calls = wrong, 0

    def forward(self, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        losses = nn.functional.cross_entropy(outputs, targets, reduction="none")
        match self.wrong:
            case "shape":
                return losses.mean()
            case "rows" | "loss-rows":
                return losses / len(losses)
            case "deterministic":
                return losses * self.calls
            case "gradients":
                return losses.detach() * outputs.sum() * 0 + losses.detach()
            case "better-is-lower":
                return 10 - losses
        return losses


class WrongMask(LossMaskSpec):
    """Labels that are not missing, except those named "absent"."""

    type: Literal["wrong-mask"] = "wrong-mask"
    wrong: str = ""
    """Its fault."""

    def list_excluded_labels(self) -> frozenset[str]:
        return ["absent"] if self.wrong == "excluded" else frozenset({"absent"})  # type: ignore[return-value]

    def build(self, spaces: Sequence[LabelSpace]) -> LossMask:
        classes = len(spaces[0].classes)
        if type(spaces[0]) is not ClassSpace:
            if self.wrong == "accepts":
                raise IndexError("no classes")
            raise MtlError("for classes alone")

        def mask(targets: torch.Tensor) -> torch.Tensor:
            observed = (targets >= 0) & (targets < classes)
            match self.wrong:
                case "shape":
                    return observed.float()
                case "missing-labels":
                    return targets < classes
                case "not-empty":
                    return torch.zeros_like(observed)
                case "batch-invariance":
                    return observed & (targets != targets.min())
                case "influence":
                    return observed & (targets.roll(1, dims=1) >= 0)
            return observed

        return mask


class WrongMetric(MetricSpec):
    """Accuracy."""

    type: Literal["wrong-metric"] = "wrong-metric"
    wrong: str = ""
    """Its fault."""

    def key(self) -> str:
        return "correct" if self.wrong == "key" else super().key()

    @property
    def higher_is_better(self) -> bool:  # type: ignore[override]
        return self.wrong != "direction"

    def select_rows(self, space: LabelSpace, targets: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(targets)) if self.wrong == "scored-rows" else super().select_rows(space, targets)

    def build(self, space: LabelSpace) -> torchmetrics.Metric:
        if type(space) not in {ClassSpace, _Space}:
            if self.wrong == "accepts":
                raise IndexError("no classes")
            raise MtlError("for classes alone")
        if self.wrong == "pooling":
            return MacroF1().build(space)
        if self.wrong == "no-shared-state":
            return _SHARED
        return _Accuracy(self.wrong)

    def compute_label_sums(
        self, space: LabelSpace, outputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor | None:
        hits = outputs.argmax(dim=1) == targets
        return append_count(~hits if self.wrong == "sums" else hits)

    def compute_task_sums(self, spaces: Sequence[LabelSpace], labels: GroupLabels) -> NDArray[np.float64] | None:
        sums = super().compute_task_sums(spaces, labels)
        return None if sums is None else sums[::-1] if self.wrong == "tasks" else sums


class _Accuracy(torchmetrics.Metric):
    full_state_update = False
    correct: torch.Tensor
    total: torch.Tensor

    def __init__(self, wrong: str) -> None:
        super().__init__()
        self.wrong = wrong
        self.add_state("correct", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("total", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, outputs: torch.Tensor, targets: torch.Tensor) -> None:
        if self.wrong == "batches":
            self.correct.zero_()
            self.total.zero_()
        self.correct += (outputs.argmax(dim=1) == targets).sum()
        self.total += len(targets)

    def compute(self) -> torch.Tensor:
        share = self.correct / self.total
        return torch.stack([share, share]) if self.wrong == "form" else share


_SHARED = _Accuracy("")


class WrongKind(TaskKindSpec):
    """One of several classes."""

    type: Literal["wrong-kind"] = "wrong-kind"
    wrong: str = ""
    """Its fault."""
    level: ClassVar[Literal["example"]] = "example"

    def build_space(self, label_statistics: LabelStatistics) -> LabelSpace:
        if any(isinstance(label, list) for label in label_statistics.all_labels):
            if self.wrong == "accepts":
                raise TypeError("a list")
            raise MtlError("one class a label, not a list")
        return _Space(sorted({str(label) for label in label_statistics.all_labels}), self.wrong)

    def restore_space(self, state: Mapping[str, Any]) -> LabelSpace:
        names = state["classes"]
        return _Space(names[::-1] if self.wrong == "space-state" else names, self.wrong)

    def build(self, space: LabelSpace, counts: Mapping[str, int]) -> TaskKind:
        if self.wrong == "no-counts":
            max(counts.values())
        return _Kind(space.classes, counts, self.wrong)

    def build_loss(self) -> nn.Module:
        return _Loss("better-is-lower" if self.wrong == "standalone-loss" else self.wrong)


class _Space(ClassSpace):
    def __init__(self, classes: Sequence[str], wrong: str) -> None:
        super().__init__(classes)
        self.wrong = wrong

    def compute_label_mask(self, targets: torch.Tensor) -> torch.Tensor:
        observed_mask = super().compute_label_mask(targets)
        return (
            observed_mask.all(dim=1, keepdim=True).expand_as(observed_mask)
            if self.wrong == "influence"
            else observed_mask
        )

    def encode(self, labels: Sequence[Label | None], locations: Sequence[str]) -> NDArray[Any]:
        if self.wrong == "missing-labels":
            labels = [self.classes[0] if label is None else label for label in labels]
        if self.wrong == "out-of-space-label":
            known_labels: list[Label | None] = [None if str(label) not in self.classes else label for label in labels]
            return super().encode(known_labels, locations)
        return np.asarray(super().encode(labels, locations))


class _Kind(ClassificationKind):
    def __init__(self, classes: Sequence[str], counts: Mapping[str, int], wrong: str) -> None:
        metrics: Any = [] if wrong == "runtime" else [WrongMetric()]
        super().__init__(classes, _Loss(wrong), [1.0] * len(classes), metrics, counts)
        self.wrong = wrong

    def decode(self, outputs: torch.Tensor) -> list[LabelPrediction]:
        if self.wrong == "agreement":
            outputs = -outputs
        predictions = super().decode(outputs)
        if self.wrong == "baseline":
            return [LabelPrediction(self.classes[row % len(self.classes)], {}) for row in range(len(predictions))]
        return [LabelPrediction("nowhere", {}) for _ in predictions] if self.wrong == "decoding" else predictions

    def prepare_for_metrics(self, outputs: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (-outputs if self.wrong == "metrics" else outputs), targets
