"""Training step of each architecture compared with hard sharing: BiLSTM of 128, and MLP of 128 with many tasks."""

from dataclasses import dataclass
from random import Random
from statistics import median

import torch

from absa_plugin.recurrent import BiLSTM
from benchmarks.measurement import format_seconds, time_alternately
from benchmarks.reference import measure_reference
from benchmarks.training_step import build_setup, build_step
from mtl_architectures.adashare import AdaShare
from mtl_architectures.cgc import CGC, PLE
from mtl_architectures.cross_stitch import CrossStitch
from mtl_architectures.dselect_k import DSelectK
from mtl_architectures.mmoe import MMoE
from mtl_architectures.mtan import MTAN
from mtl_core.builtins.architectures.hard_sharing import HardSharing
from mtl_core.builtins.architectures.soft_sharing import SoftSharing
from mtl_core.builtins.backbones.mlp import MLP
from mtl_core.builtins.heads.linear import Linear
from mtl_core.nn.network import count_parameters
from mtl_core.plugins.specs import ArchitectureSpec

STEPS = 40
HARD_SHARING = "hard sharing"
ARCHITECTURES: dict[str, ArchitectureSpec] = {
    HARD_SHARING: HardSharing(),
    "soft sharing, strength 0": SoftSharing(strength=0),
    "soft sharing, l2": SoftSharing(),
    "soft sharing, trace norm": SoftSharing(distance="trace-norm"),
    "cross-stitch, 1 layer": CrossStitch(layers=1),
    "cross-stitch, 2 layers": CrossStitch(),
    "cross-stitch, 2 layers, per channel": CrossStitch(per_channel=True),
    "mmoe, 4 experts": MMoE(),
    "cgc, 2 shared experts, 1 per task": CGC(),
    "ple, 2 levels": PLE(),
    "dselect-k, 2 of 4 experts": DSelectK(),
    "mtan, 2 layers": MTAN(),
    "adashare, 3 blocks": AdaShare(),
}
MANY_TASKS: dict[str, ArchitectureSpec] = {
    HARD_SHARING: HardSharing(),
    "mmoe, 4 experts": MMoE(),
    "cgc, 4 shared experts": CGC(shared_experts=4, task_experts=0),
    "cgc, 2 shared experts, 1 per task": CGC(),
    "ple, 2 levels of 2 shared experts": PLE(task_experts=0),
    "dselect-k, 2 of 4 experts": DSelectK(),
    "dselect-k, 2 of 4 experts, per example": DSelectK(per_example=True),
    "mtan, 1 layer": MTAN(layers=1, hidden_dim=16),
    "adashare, 3 blocks": AdaShare(),
    "soft sharing, l2": SoftSharing(),
    "cross-stitch, 1 layer": CrossStitch(layers=1),
}
"""The architectures that are compared with many tasks; those with one backbone per task come last."""


@dataclass(frozen=True)
class StepCost:
    """The cost of an architecture.

    Attributes:
        parameters: Number of trainable parameters.
        seconds: Median duration of a training step.
        ratio: Duration relative to hard sharing, measured in alternating steps.
    """

    parameters: int
    seconds: float
    ratio: float


def measure_many_tasks(
    tasks: int, batch: int = 64, steps: int = STEPS, architectures: dict[str, ArchitectureSpec] | None = None
) -> dict[str, StepCost]:
    """Time alternating steps in one thread: 200 inputs, an MLP of 128, and one linear head with 4 classes per task.

    Args:
        tasks: Number of tasks.
        batch: Number of examples.
        steps: Number of steps per architecture.
        architectures: The architectures by name, with hard sharing; default: all of `MANY_TASKS`.

    Returns:
        The cost of each architecture by name.
    """
    specs = architectures or MANY_TASKS
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        setups = {
            name: build_setup(tasks, MLP(), 200, Linear(), spec, sequence=False, batch=batch)
            for name, spec in specs.items()
        }
        functions = {name: build_step(setup) for name, setup in setups.items()}
        time_alternately(functions, 2)
        durations = time_alternately(functions, steps, Random(0))
    finally:
        torch.set_num_threads(n_threads)
    medians = {name: median(seconds) for name, seconds in durations.items()}
    return {
        name: StepCost(count_parameters(setup.network), medians[name], medians[name] / medians[HARD_SHARING])
        for name, setup in setups.items()
    }


def main() -> None:
    """Time alternating steps of all architectures, with 2, 5 and 100 tasks, and compare the medians."""
    reference = measure_reference()
    for tasks in (2, 5):
        steps = {
            name: build_step(build_setup(tasks, BiLSTM(), 300, architecture=spec))
            for name, spec in ARCHITECTURES.items()
        }
        medians = {name: median(durations) for name, durations in time_alternately(steps, STEPS).items()}
        for name, seconds in medians.items():
            ratio = seconds / medians[HARD_SHARING]
            print(f"{tasks} tasks, {name}: {format_seconds(seconds, reference)}, {ratio:.2f}x")
    for name, cost in measure_many_tasks(100).items():
        print(f"100 tasks, MLP, {name}: {cost.ratio:.2f}x, {cost.parameters:,} parameters")
