"""An optimizer, a schedule, class weights and a sampling strategy: correct, or with the fault `wrong` names."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core import ClassWeightsSpec, OptimizerSpec, ScheduleSpec
from mtl_core.plugins.specs import SamplingSpec


class WrongOptimizer(OptimizerSpec):
    """Gradient descent."""

    type: Literal["wrong-optimizer"] = "wrong-optimizer"
    wrong: str = ""
    """Its fault."""

    def build(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        return _Descent(parameters, self.wrong)


class _Descent(torch.optim.SGD):
    def __init__(self, parameters: Iterable[torch.nn.Parameter], wrong: str) -> None:
        super().__init__(parameters, lr=0.05, momentum=0.5, maximize=wrong == "reduces-loss")
        self.wrong, self.steps = wrong, 0

    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        self.steps += 1
        rates = [group["lr"] for group in self.param_groups]
        for group in self.param_groups:
            if self.wrong == "learning-rate":
                group["lr"] = 0.01
            if self.wrong == "resume":
                group["lr"] = 0.05 / self.steps
        super().step(closure)
        for group, rate in zip(self.param_groups, rates, strict=True):
            group["lr"] = rate


class WrongSchedule(ScheduleSpec):
    """Linear decay."""

    type: Literal["wrong-schedule"] = "wrong-schedule"
    wrong: str = ""
    """Its fault."""

    def compute_factor(self, step: int, total: int) -> float:
        if self.wrong == "not-all-zero":
            return 0.0
        return 0.5 - step / total if self.wrong == "factors" else 1 - step / total


class WrongClassWeights(ClassWeightsSpec):
    """The inverse class frequency."""

    type: Literal["wrong-class-weights"] = "wrong-class-weights"
    wrong: str = ""
    """Its fault."""

    def compute_weights(self, counts: Mapping[str, int]) -> Sequence[float]:
        if self.wrong == "weights":
            return [1 / count if count else float("inf") for count in counts.values()]
        if self.wrong == "class-order":
            return [float(index) for index in range(len(counts))]
        return [1 / max(count, 1) for count in counts.values()]


class WrongSampling(SamplingSpec):
    """Shares proportional to size."""

    type: Literal["wrong-sampling"] = "wrong-sampling"
    wrong: str = ""
    """Its fault."""

    def compute_shares(self, batches: Sequence[int], progress: float) -> Sequence[float]:
        return [size - 2.0 for size in batches] if self.wrong == "shares" else [float(size) for size in batches]

    def choose_data_sets(self, batches: Sequence[int], steps: range, total: int, seed: int) -> NDArray[np.int64]:
        if self.wrong == "draws":
            return super().choose_data_sets(batches, steps, total, seed) + 1
        if self.wrong == "draws-follow-shares":
            return np.zeros(len(steps), dtype=np.int64)
        if self.wrong == "seed":
            return super().choose_data_sets(batches, steps, total, np.random.randint(1000))
        return super().choose_data_sets(batches, steps, total, seed)
