"""Hundreds of tasks: a whole run in R, memory and sizes of results; steps compared with bare loops and few tasks."""

import tempfile
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml
from torch import nn
from torch.nn import functional as F  # noqa: N812

from absa_plugin.attention_pooling import Attention
from absa_plugin.recurrent import BiLSTM
from benchmarks.architectures import HARD_SHARING, MANY_TASKS, measure_many_tasks
from benchmarks.measurement import CommandCost, format_seconds, measure_mtl, time_alternately
from benchmarks.reference import measure_reference
from benchmarks.training_step import Step, StepSetup, build_setup, build_step
from mtl_core.builtins.backbones.mlp import MLP
from mtl_core.builtins.heads.linear import Linear
from mtl_core.builtins.optimizers import Adam
from mtl_core.plugins.specs import WeightingSpec
from mtl_torchjd.pcgrad import PCGrad
from mtl_torchjd.upgrad import UPGrad

EXAMPLES, WIDTH, MISSING_SHARE, TEST_EXAMPLES = 5_000, 200, 0.8, 500
STEPS = 60


def main() -> None:
    """Print every measurement; ratios are medians of alternating steps."""
    reference = measure_reference()
    print(f"R = {reference:.2f} s")
    for tasks in (100, 1_000):
        _print_run(tasks, reference)
    _print_linear_step(1_000)
    _print_attention_step()
    _print_gradient_steps()
    _print_architectures()


def write_experiment(folder: Path, tasks: int) -> Path:
    """Write tables of random numbers with binary labels of linear functions of them, and an experiment."""
    random = np.random.default_rng(0)
    inputs = random.normal(size=(EXAMPLES, WIDTH)).astype(np.float32)
    scores = inputs @ (random.normal(size=(WIDTH, tasks)) / WIDTH**0.5)
    labels = (scores + 0.5 * random.normal(size=scores.shape) > 0).astype(float)
    labels[random.random(labels.shape) < MISSING_SHARE] = np.nan
    columns = {f"x{index}": pa.array(column) for index, column in enumerate(inputs.T)}
    columns |= {
        f"t{index}": pa.array(column, from_pandas=True).cast(pa.int8()) for index, column in enumerate(labels.T)
    }
    table = pa.table(columns)
    pq.write_table(table.slice(TEST_EXAMPLES), folder / "train.parquet")
    pq.write_table(table.slice(0, TEST_EXAMPLES), folder / "test.parquet")
    experiment = {
        "name": "many-tasks",
        "data": {
            "type": "table",
            "train": "train.parquet",
            "test": "test.parquet",
            "numbers": ["x*"],
            "labels": ["t*"],
        },
        "encoder": "array",
        "backbone": {"type": "mlp", "hidden_dims": [128]},
        "tasks": [
            {"each": "*", "kind": {"type": "binary", "metrics": ["accuracy", "roc-auc", "macro-f1"]}, "head": "linear"}
        ],
        "training": {"epochs": 3, "refit": False},
    }
    path = folder / "many-tasks.yaml"
    path.write_text(yaml.safe_dump(experiment, sort_keys=False), encoding="utf-8")
    return path


def _print_run(tasks: int, reference: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        cost: CommandCost = measure_mtl("run", write_experiment(Path(folder), tasks), "--out", run)
        sizes = {path.name: path.stat().st_size / 1e6 for path in sorted(run.iterdir())}
    print(
        f"mtl run, {tasks:,} tasks, {EXAMPLES:,} x {WIDTH} numbers, 3 epochs: "
        f"{format_seconds(cost.seconds, reference)}, {cost.cpu_seconds:.2f} s of processor time, "
        f"at most {cost.megabytes:.0f} MB resident, {cost.lines} lines"
    )
    print("  " + ", ".join(f"{name} {size:.2f} MB" for name, size in sizes.items()))


def _print_linear_step(tasks: int) -> None:
    setup = build_setup(tasks, MLP(), WIDTH, Linear(), None, MISSING_SHARE, sequence=False, classes=2)
    seconds = _time_steps({"core": build_step(setup), "bare": _build_plain_step(setup, tasks)})
    print(
        f"step of {tasks:,} linear heads: {seconds['core'] / seconds['bare']:.2f}x of a bare loop with one matrix head"
    )


def _build_plain_step(setup: StepSetup, tasks: int) -> Step:
    """Build a step with one matrix head and one masked loss, on the same batch."""
    torch.manual_seed(0)
    scale = nn.Parameter(torch.ones(WIDTH))
    network = nn.Sequential(nn.Linear(WIDTH, 128), nn.ReLU(), nn.Linear(128, tasks))
    optimizer = Adam().build([scale, *network.parameters()])
    [targets] = setup.batch.targets

    def step() -> None:
        optimizer.zero_grad()
        outputs = network(setup.batch.inputs * scale)
        mask = targets >= 0
        losses = F.binary_cross_entropy_with_logits(outputs, targets.clamp(min=0).float(), reduction="none")
        counts = mask.sum(dim=0)
        loss = (losses.masked_fill(~mask, 0).sum(dim=0) / counts.clamp(min=1)).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def _print_attention_step() -> None:
    seconds = _time_steps(
        {str(tasks): build_step(build_setup(tasks, BiLSTM(), 300, Attention())) for tasks in (5, 100)}
    )
    print(f"step of 100 attention heads over a BiLSTM: {seconds['100'] / seconds['5']:.2f}x of 5 heads")


def _print_gradient_steps() -> None:
    weightings: dict[str, WeightingSpec] = {
        f"{spec.type}, gradients at the {spec.gradients}": spec
        for spec_class in (PCGrad, UPGrad)
        for spec in (spec_class(gradients="features"), spec_class())
    }
    for heads, head in (("linear", Linear()), ("attention", Attention())):
        steps = {"sum": build_step(build_setup(20, BiLSTM(), 300, head, missing_share=0))}
        for name, spec in weightings.items():
            steps[name] = build_step(build_setup(20, BiLSTM(), 300, head, missing_share=0), spec)
        seconds = _time_steps(steps, STEPS // 3)
        for name in weightings:
            print(f"step of 20 tasks, {heads} heads, {name}: {seconds[name] / seconds['sum']:.2f}x of a sum")


def _print_architectures() -> None:
    names = (HARD_SHARING, "mmoe, 4 experts", "cgc, 4 shared experts", "cgc, 2 shared experts, 1 per task")
    costs = measure_many_tasks(100, architectures={name: MANY_TASKS[name] for name in names})
    for name, cost in costs.items():
        print(f"step of 100 tasks, {name}: {cost.ratio:.2f}x of hard sharing")


def _time_steps(steps: dict[str, Step], rounds: int = STEPS) -> dict[str, float]:
    """Return the median duration of each step in seconds, after warmup."""
    time_alternately(steps, 3)
    return {name: median(durations) for name, durations in time_alternately(steps, rounds).items()}
