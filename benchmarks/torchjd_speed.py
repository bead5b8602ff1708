"""A step with gradient aggregation compared with a hand-written TorchJD loop: same network, batch and aggregator.

BiLSTM of 128 on 32 x 20 tokens x 300 features, one label per task and text.
"""

from collections.abc import Callable
from statistics import median

from torch.nn import functional as F  # noqa: N812
from torchjd import aggregation
from torchjd.autojac import jac_to_grad, mtl_backward

from absa_plugin.attention_pooling import Attention
from absa_plugin.recurrent import BiLSTM
from benchmarks.measurement import format_seconds, time_alternately
from benchmarks.reference import measure_reference
from benchmarks.training_step import StepSetup, build_setup, build_step
from mtl_core.builtins.heads.linear import Linear
from mtl_core.builtins.optimizers import Adam
from mtl_core.nn.heads import HeadOutput, SeparateHeads
from mtl_core.plugins.specs import HeadSpec, WeightingSpec
from mtl_torchjd.pcgrad import PCGrad
from mtl_torchjd.upgrad import UPGrad

STEPS = 25
HEADS: dict[str, HeadSpec] = {
    "linear heads": Linear(),
    "attention heads, separate": Attention(grouped=False),
    "attention heads, grouped": Attention(),
}
AGGREGATORS: dict[str, tuple[WeightingSpec, aggregation.Aggregator]] = {
    "pcgrad": (PCGrad(), aggregation.PCGrad()),
    "upgrad": (UPGrad(), aggregation.UPGrad()),
}


def main() -> None:
    """Time alternating steps of both implementations, and compare the medians."""
    reference = measure_reference()
    for tasks in (5, 20):
        for heads, head in HEADS.items():
            for name, (spec, aggregator) in AGGREGATORS.items():
                core_setup, manual_setup = (build_setup(tasks, BiLSTM(), 300, head, missing_share=0) for _ in range(2))
                steps = {
                    "core": build_step(core_setup, spec),
                    "manual": _build_manual_step(manual_setup, aggregator),
                }
                seconds = {name: median(durations) for name, durations in time_alternately(steps, STEPS).items()}
                print(
                    f"{tasks} tasks, {heads}, {name}: {format_seconds(seconds['core'], reference)}, "
                    f"{seconds['core'] / seconds['manual']:.3f}x of a manual loop"
                )


def _build_manual_step(setup: StepSetup, aggregator: aggregation.Aggregator) -> Callable[[], object]:
    trunk, [group] = setup.network.trunk, setup.network.head_groups()
    optimizer, [targets] = Adam().build(setup.network.parameters()), setup.batch.targets

    def step() -> None:
        optimizer.zero_grad()
        [features] = trunk(setup.batch.inputs, [True])
        assert features is not None
        if isinstance(group, SeparateHeads):
            head_outputs = [head(features) for head in group.heads.values()]
            outputs = [one.outputs if isinstance(one, HeadOutput) else one for one in head_outputs]
        else:
            outputs = list(group(features).outputs.unbind(dim=1))
        losses = [F.cross_entropy(one, targets[:, task]) for task, one in enumerate(outputs)]
        retain_graph = not isinstance(group, SeparateHeads)  # all losses share one module
        mtl_backward(losses, features=features.values, retain_graph=retain_graph, parallel_chunk_size=1)
        jac_to_grad(trunk.parameters(), aggregator)
        optimizer.step()

    return step
