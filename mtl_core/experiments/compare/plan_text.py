"""Describe the trainings of a comparison before they start: their number, how they are trained, and how long."""

from collections.abc import Iterator
from math import ceil

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.errors import join_names
from mtl_core.experiments.compare.network_batches import NetworkBatches
from mtl_core.experiments.compare.plan import Plan
from mtl_core.reporting.formatting import pluralize

FEWER_NETWORKS = "--single and --single-sample train fewer of them"
"""How to train fewer single-task networks of `mtl compare`."""


def describe_plan(plan: Plan, jobs: int, fewer_networks: str = FEWER_NETWORKS) -> list[str]:
    """Return sentences on the trainings of a plan.

    Args:
        plan: The plan.
        jobs: Maximum number of trainings in parallel.
        fewer_networks: How to train fewer single-task networks, if they are trained in a run each.
    """
    return [_describe_trainings(plan), *_describe_networks(plan, jobs, fewer_networks)]


def _describe_trainings(plan: Plan) -> str:
    counts: dict[str, int] = {}
    for variant in plan.variants:
        if variant.training_specs:
            counts[variant.name] = len(variant.training_specs)
    per_seed = join_names(f"{name}: {count:,}" for name, count in counts.items())
    n_finished = sum(RunDirectory(trial.run_dir).metrics.is_file() for trial in plan.trials)
    finished = f", of which {n_finished:,} are finished" if n_finished else ""
    folds = f" and {pluralize(plan.n_folds, 'fold')}" if plan.n_folds else ""
    seeds = pluralize(len(plan.seeds), "seed")
    return f"{pluralize(len(plan.trials), 'training')} with {seeds}{folds} ({per_seed} each){finished}"


def _describe_networks(plan: Plan, jobs: int, fewer_networks: str) -> Iterator[str]:
    """Yield how single-task networks are trained, and how long it takes."""
    networks = plan.networks
    if networks is None:
        return
    if networks.batches:
        n_networks = sum(map(len, networks.batches))
        largest = max(map(len, networks.batches))
        memory = largest * networks.bytes_per_network / 1e6
        n_batches = len(networks.batches)
        yield (
            f"the single-task networks of {n_networks:,} tasks are trained at once, in "
            f"{n_batches} batch{'es' if n_batches > 1 else ''} of up to {largest} networks and {memory:,.0f} MB"
        )
        yield _describe_time(plan, networks, jobs)
    if networks.obstacle:
        yield (
            f"{len(networks.separate):,} single-task networks are trained in a run each, since {networks.obstacle}; "
            f"{fewer_networks}"
        )


def _describe_time(plan: Plan, networks: NetworkBatches, jobs: int) -> str:
    seconds = [
        sum(networks.train_s[task] for task in tasks)
        for tasks in networks.batches
        for _ in plan.seeds
        for _ in plan.folds
    ]
    total = max(sum(seconds) / jobs, *seconds)
    time = f"{ceil(total / 60):,} min" if total >= 60 else f"{ceil(total)} s"
    parallel = f" with {jobs} in parallel" if jobs > 1 else ""
    return (
        f"their training takes about {time}{parallel} on this machine, with validation after each epoch, less with "
        "early stopping; the other variants are not included"
    )
