"""Training step with 100 tasks compared with 5: grouped attention heads, 32 x 20 tokens x 256 features."""

from statistics import median

from absa_plugin.recurrent import BiLSTM
from benchmarks.measurement import format_seconds, time_alternately
from benchmarks.reference import measure_reference
from benchmarks.training_step import build_setup, build_step
from mtl_core.builtins.backbones.identity import Identity
from mtl_core.plugins.specs import BackboneSpec

STEPS = 60


def main() -> None:
    """Time alternating steps with 5, 20 and 100 tasks, and compare the medians."""
    _compare("whole step, BiLSTM of 128 before the heads", BiLSTM(), 300)
    _compare("heads only", Identity(), 256)


def _compare(title: str, backbone: BackboneSpec, width: int) -> None:
    reference = measure_reference()
    steps = {tasks: build_step(build_setup(tasks, backbone, width)) for tasks in (5, 20, 100)}
    medians = {tasks: median(durations) for tasks, durations in time_alternately(steps, STEPS).items()}
    for tasks, seconds in medians.items():
        print(f"{title}, {tasks} tasks: {format_seconds(seconds, reference)}, {seconds / medians[5]:.2f}x")
