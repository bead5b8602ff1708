"""Training step of each weighting compared with static weights: BiLSTM of 128, 32 x 20 tokens x 300 features."""

from random import Random
from statistics import median
from time import perf_counter

from absa_plugin.recurrent import BiLSTM
from benchmarks.task_count import build_step
from mtl_core.builtins import weightings
from mtl_core.plugins.specs import WeightingSpec

TASKS, ROUNDS = 5, 150
WEIGHTINGS: dict[str, WeightingSpec] = {
    "static, repeated": weightings.WeightedSum(),
    "label-count": weightings.LabelCount(),
    "uncertainty": weightings.Uncertainty(),
    "dwa": weightings.DynamicWeightAverage(),
    "random": weightings.Random(),
    "geometric": weightings.Geometric(),
    "smooth-tchebycheff": weightings.SmoothTchebycheff(),
    "famo": weightings.FAMO(),
    "famo, same batch": weightings.FAMO(same_batch=True),
    "gradnorm": weightings.GradNorm(),
}


def main() -> None:
    """Time one step of every weighting per round, relative to the static step of the same round."""
    specs = {"static": weightings.WeightedSum(), **WEIGHTINGS}
    steps = {name: build_step(TASKS, BiLSTM(), 300, weighting=spec) for name, spec in specs.items()}
    times: dict[str, list[float]] = {name: [] for name in steps}
    order, random = list(steps), Random(0)
    for _ in range(ROUNDS):
        random.shuffle(order)  # a step takes longer after one that has used more memory
        for name in order:
            start = perf_counter()
            steps[name]()
            times[name].append(perf_counter() - start)
    static = times["static"]
    print(f"static: {median(static) * 1000:.1f} ms")
    for name in WEIGHTINGS:
        ratio = median(one / other for one, other in zip(times[name], static, strict=True))
        print(f"{name}: {ratio:.3f}x, {(median(times[name]) - median(static)) * 1000:+.2f} ms")
