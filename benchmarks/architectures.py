"""Training step of each architecture compared with hard sharing: BiLSTM of 128, 32 x 20 tokens x 300 features."""

from statistics import median

from absa_plugin.recurrent import BiLSTM
from benchmarks.measurement import format_seconds, time_alternately
from benchmarks.reference import measure_reference
from benchmarks.training_step import build_setup, build_step
from mtl_architectures.cross_stitch import CrossStitch
from mtl_architectures.mmoe import MMoE
from mtl_core.builtins.architectures.hard_sharing import HardSharing
from mtl_core.builtins.architectures.soft_sharing import SoftSharing
from mtl_core.plugins.specs import ArchitectureSpec

STEPS = 40
ARCHITECTURES: dict[str, ArchitectureSpec] = {
    "hard sharing": HardSharing(),
    "soft sharing, strength 0": SoftSharing(strength=0),
    "soft sharing, l2": SoftSharing(),
    "soft sharing, trace norm": SoftSharing(distance="trace-norm"),
    "cross-stitch, 1 layer": CrossStitch(layers=1),
    "cross-stitch, 2 layers": CrossStitch(),
    "cross-stitch, 2 layers, per channel": CrossStitch(per_channel=True),
    "mmoe, 4 experts": MMoE(),
}


def main() -> None:
    """Time alternating steps of all architectures, with 2 and with 5 tasks, and compare the medians."""
    reference = measure_reference()
    for tasks in (2, 5):
        steps = {
            name: build_step(build_setup(tasks, BiLSTM(), 300, architecture=spec))
            for name, spec in ARCHITECTURES.items()
        }
        medians = {name: median(durations) for name, durations in time_alternately(steps, STEPS).items()}
        for name, seconds in medians.items():
            ratio = seconds / medians["hard sharing"]
            print(f"{tasks} tasks, {name}: {format_seconds(seconds, reference)}, {ratio:.2f}x")
