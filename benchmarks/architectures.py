"""Training step of each architecture compared with hard sharing: BiLSTM of 128, 32 x 20 tokens x 300 features."""

from time import perf_counter

from absa_plugin.recurrent import BiLSTM
from benchmarks.task_count import build_step
from mtl_architectures.cross_stitch import CrossStitch
from mtl_architectures.mmoe import MMoE
from mtl_core.builtins.architectures import HardSharing, SoftSharing
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
    for tasks in (2, 5):
        steps = {name: build_step(tasks, BiLSTM(), 300, spec) for name, spec in ARCHITECTURES.items()}
        times: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(STEPS):
            for name, step in steps.items():
                start = perf_counter()
                step()
                times[name].append(perf_counter() - start)
        medians = {name: sorted(durations)[STEPS // 2] for name, durations in times.items()}
        for name, seconds in medians.items():
            print(f"{tasks} tasks, {name}: {seconds * 1000:.1f} ms, {seconds / medians['hard sharing']:.2f}x")
