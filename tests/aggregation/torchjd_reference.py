"""Reference results: direct calls of TorchJD, and Jacobians computed by plain loops."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch
from torchjd import aggregation, linalg

from mtl_core.plugins.registry import Registry
from mtl_core.plugins.specs import WeightingSpec
from mtl_core.seeding import derive_seed
from mtl_core.testing.sample_run import SampleRun
from mtl_core.training.losses import TaskLosses

Block = dict[str, Any]
AggregatorFactory = Callable[[Sequence[int]], aggregation.Aggregator]
"""Maps the tasks of a batch to TorchJD's aggregator of their gradients, in task order."""

PREFERENCES = torch.tensor([2.0, 1.0, 3.0, 1.0])
LEAKS = torch.tensor([0.5, 0.0, 0.25, 0.0])
PREFERENCES_BY_TASK: Block = {"first": 2.0, "third": 3.0}


def _normalize_preferences(tasks: Sequence[int]) -> torch.Tensor:
    preferences = PREFERENCES[list(tasks)]
    return preferences / preferences.sum()


def _build_krum(tasks: Sequence[int]) -> aggregation.Aggregator:
    return {1: aggregation.Mean(), 2: aggregation.Mean(), 3: aggregation.Krum(0, 2)}.get(
        len(tasks), aggregation.Krum(1, 2)
    )


CASES: dict[str, tuple[Block, AggregatorFactory]] = {
    "gradient-sum": ({}, lambda _: aggregation.Sum()),
    "gradient-mean": ({}, lambda _: aggregation.Mean()),
    "constant": ({"weights": PREFERENCES_BY_TASK}, lambda tasks: aggregation.Constant(PREFERENCES[list(tasks)])),
    "random-gradient": ({}, lambda _: aggregation.Random()),
    "krum": ({"n_selected": 2}, _build_krum),
    "trimmed-mean": ({}, lambda tasks: aggregation.TrimmedMean(1 if len(tasks) > 2 else 0)),
    "pcgrad": ({}, lambda _: aggregation.PCGrad()),
    "gradvac": ({"beta": 0.3}, lambda _: aggregation.GradVac(0.3)),
    "graddrop": (
        {"leak": {"first": 0.5, "third": 0.25}},
        lambda tasks: aggregation.GradDrop(leak=LEAKS[list(tasks)]),
    ),
    "config": ({"preferences": PREFERENCES_BY_TASK}, lambda tasks: aggregation.ConFIG(PREFERENCES[list(tasks)])),
    "upgrad": ({}, lambda _: aggregation.UPGrad()),
    "upgrad, with preferences": (
        {"preferences": PREFERENCES_BY_TASK},
        lambda tasks: aggregation.UPGrad(_normalize_preferences(tasks)),
    ),
    "dualproj": (
        {"preferences": PREFERENCES_BY_TASK, "norm_eps": 0.0, "reg_eps": 0.01},
        lambda tasks: aggregation.DualProj(
            _normalize_preferences(tasks), linalg.QuadprogProjector(norm_eps=0.0, reg_eps=0.01)
        ),
    ),
    "mgda": ({"epsilon": 0.01, "max_iters": 7}, lambda _: aggregation.MGDA(0.01, 7)),
    "cagrad": ({"c": 0.6}, lambda _: aggregation.CAGrad(0.6)),
    "imtl-g": ({}, lambda _: aggregation.IMTLG()),
    "aligned-mtl": (
        {"preferences": PREFERENCES_BY_TASK, "scale_mode": "median"},
        lambda tasks: aggregation.AlignedMTL(_normalize_preferences(tasks), "median"),
    ),
    "fairgrad": ({"alpha": 2.0, "max_iters": 30}, lambda _: aggregation.FairGrad(2.0, 30)),
    "nash-mtl": (
        {"max_norm": 0.5, "update_weights_every": 2, "optim_niter": 5},
        lambda tasks: aggregation.NashMTL(len(tasks), 0.5, 2, 5),
    ),
    "pcd": (
        {"tau": 0.2, "taus": {"third": 0.7}, "beta": 0.9},
        lambda tasks: aggregation.PCD(torch.tensor([0.7 if task == 2 else 0.2 for task in tasks[1:]]), 0.9),
    ),
    "excess-mtl": ({"robust_step_size": 0.3}, lambda _: aggregation.ExcessMTL(0.3)),
    "excess-mtl, with warmup": ({"n_warmup_steps": 2}, lambda _: aggregation.ExcessMTL(1.0, 2)),
    "cr-mogm": (
        {"aggregator": {"type": "gradvac", "beta": 0.3}, "alpha": 0.7},
        lambda _: aggregation.GramianWeightedAggregator(
            aggregation.CRMOGMWeighting(aggregation.GradVacWeighting(0.3), 0.7)
        ),
    ),
}
"""Maps a name, which starts with the type, to the options and TorchJD's equivalent aggregator."""


def build_spec(name: str, registry: Registry) -> WeightingSpec:
    """Build the spec of a case."""
    type_name = name.split(",")[0]
    block = {"type": type_name, **CASES[name][0]}
    spec = registry.find("weightings", type_name).model_validate(block, context={"registry": registry})
    assert isinstance(spec, WeightingSpec)
    return spec


def compute_jacobian(values: torch.Tensor, parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return one row per loss, each from a separate backward pass; the graph is retained."""
    rows = []
    for value in values:
        loss_gradients = torch.autograd.grad(value, parameters, retain_graph=True, allow_unused=True)
        flat = [torch.zeros_like(p) if g is None else g for g, p in zip(loss_gradients, parameters, strict=True)]
        rows.append(torch.cat([gradient.reshape(-1) for gradient in flat]))
    return torch.stack(rows)


def concatenate_gradients(parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """Concatenate the gradients of parameters; NaN where a parameter has none."""
    grads = [torch.full_like(p, torch.nan) if p.grad is None else p.grad for p in parameters]
    return torch.cat([grad.reshape(-1) for grad in grads])


def aggregate_with_torchjd(
    aggregator: aggregation.Aggregator, rows: torch.Tensor, step: int, seed: int = 1
) -> torch.Tensor:
    """Aggregate with TorchJD, the generator seeded as in that step of a run."""
    with torch.random.fork_rng([]), torch.no_grad():
        torch.manual_seed(derive_seed(seed, "weighting", step))
        return aggregator(rows)


def run_backward(run: SampleRun, step: int, active: Collection[int]) -> tuple[TaskLosses, torch.Tensor, torch.Tensor]:
    """Run a step's backward pass; return losses, their Jacobian, and task-specific gradients of their sum."""
    losses, reference_losses = run.compute_losses(active), run.compute_losses(active)
    rows = compute_jacobian(reference_losses.values, run.gradients.shared)
    [*task_gradients] = torch.autograd.grad(
        reference_losses.values.sum(), run.gradients.task_specific, allow_unused=True
    )
    flat = [
        torch.zeros_like(p) if g is None else g
        for g, p in zip(task_gradients, run.gradients.task_specific, strict=True)
    ]
    run.optimizer.zero_grad()
    run.objective.on_step_start(step, 100)
    run.objective.backward(losses, None, run.gradients)
    return losses, rows, torch.cat([gradient.reshape(-1) for gradient in flat])
