"""Training step of each weighting compared with static weights: BiLSTM of 128, 32 x 20 tokens x 300 features."""

import random
from statistics import median

from absa_plugin.recurrent import BiLSTM
from benchmarks.measurement import format_seconds, time_alternately
from benchmarks.reference import measure_reference
from benchmarks.training_step import build_setup, build_step
from mtl_core.builtins.weightings.dwa import DynamicWeightAverage
from mtl_core.builtins.weightings.famo import FAMO
from mtl_core.builtins.weightings.geometric import Geometric
from mtl_core.builtins.weightings.gradnorm import GradNorm
from mtl_core.builtins.weightings.label_count import LabelCount
from mtl_core.builtins.weightings.random_weights import Random
from mtl_core.builtins.weightings.smooth_tchebycheff import SmoothTchebycheff
from mtl_core.builtins.weightings.uncertainty import Uncertainty
from mtl_core.builtins.weightings.weighted_sum import WeightedSum
from mtl_core.plugins.specs import WeightingSpec

TASKS, ROUNDS = 5, 150
WEIGHTINGS: dict[str, WeightingSpec] = {
    "static, repeated": WeightedSum(),
    "label-count": LabelCount(),
    "uncertainty": Uncertainty(),
    "dwa": DynamicWeightAverage(),
    "random": Random(),
    "geometric": Geometric(),
    "smooth-tchebycheff": SmoothTchebycheff(),
    "famo": FAMO(),
    "famo, same batch": FAMO(same_batch=True),
    "gradnorm": GradNorm(),
}


def main() -> None:
    """Time one step of every weighting per round, relative to the static step of the same round."""
    reference = measure_reference()
    specs = {"static": WeightedSum(), **WEIGHTINGS}
    steps = {name: build_step(build_setup(TASKS, BiLSTM(), 300), spec) for name, spec in specs.items()}
    # The order is random, because a step takes longer after one that has used more memory.
    times = time_alternately(steps, ROUNDS, random.Random(0))
    static = times["static"]
    print(f"static: {format_seconds(median(static), reference)}")
    for name in WEIGHTINGS:
        ratio = median(one / other for one, other in zip(times[name], static, strict=True))
        overhead = median(times[name]) - median(static)
        print(f"{name}: {ratio:.3f}x, overhead {format_seconds(overhead, reference)}")
