"""In every step, every aggregator computes the same shared gradients as a direct call of TorchJD."""

from typing import Any

import pytest
import torch
from torchjd_reference import CASES, aggregate_with_torchjd, build_spec, concatenate_gradients, run_backward

from mtl_core.plugins.loading import Plugins
from mtl_core.plugins.optional_packages import describe_missing_packages
from mtl_core.plugins.registry import Registry
from mtl_core.testing.rng import preserves_rng_state, temporary_seed
from mtl_core.testing.sample_run import SampleRun
from mtl_core.training.step import training_step

REGISTRY = Registry(Plugins.load_installed())
STEPS = 4


def build_run(name: str) -> SampleRun:
    spec = build_spec(name, REGISTRY)
    if missing_packages := describe_missing_packages(spec.list_required_packages()):
        pytest.skip(f"'{name}' {missing_packages}")
    return SampleRun(spec)


ACTIVE_TASKS = [(0, 1, 2, 3), (0, 2, 3), (0, 2), (0,)]


@pytest.mark.filterwarnings("ignore:You are solving a parameterized problem")  # TorchJD's Nash-MTL
@pytest.mark.parametrize(
    ("name", "active"),
    # TorchJD's solver for Nash-MTL refuses a single task.
    [(name, active) for name in CASES for active in ACTIVE_TASKS if name != "nash-mtl" or len(active) > 1],
    ids=str,
)
def test_gradients_equal_those_of_torchjd_for_the_active_tasks(name: str, active: tuple[int, ...]) -> None:
    """TorchJD receives only the tasks of the batch, whichever other tasks exist."""
    with temporary_seed(0):
        run, aggregator = build_run(name), CASES[name][1](active)
        for step in range(STEPS):
            with preserves_rng_state():
                _, rows, task_gradients = run_backward(run, step, active)
            expected = aggregate_with_torchjd(aggregator, rows, step)
            assert bool(expected.any())
            torch.testing.assert_close(concatenate_gradients(run.gradients.shared), expected, rtol=2e-4, atol=1e-6)
            torch.testing.assert_close(
                torch.nan_to_num(concatenate_gradients(run.gradients.task_specific)), task_gradients
            )
            run.optimizer.step()


def test_every_aggregator_of_torchjd_is_covered_or_excluded() -> None:
    """Detects aggregators that a new version of TorchJD adds."""
    from torchjd import aggregation

    bases = {"Aggregator", "GramianWeightedAggregator", "WeightedAggregator", "Weighting"}
    torchjd_names = {name.removesuffix("Weighting") for name in set(aggregation.__all__) - bases}
    covered_names = {name.split(",")[0].replace("-", "") for name in CASES}
    torchjd_by_name = {"randomgradient": "random", "gradientsum": "sum", "gradientmean": "mean"}
    covered_names = {torchjd_by_name.get(name, name) for name in covered_names}
    two_batches = {"modo", "sdmgrad"}  # they compare the gradients of two batches
    assert {name.lower() for name in torchjd_names} == covered_names | two_batches


@pytest.mark.parametrize("name", ["pcgrad", "gradvac", "graddrop", "random-gradient"])
def test_random_aggregators_depend_on_the_step_and_the_seed(name: str) -> None:
    with temporary_seed(0):
        gradients: list[torch.Tensor] = []
        for step in (3, 4, 3):
            run = build_run(name)
            torch.manual_seed(len(gradients))
            run_backward(run, step, range(4))
            gradients.append(concatenate_gradients(run.gradients.shared))
    assert torch.equal(gradients[0], gradients[2])
    if name in {"graddrop", "random-gradient"}:  # the other rules draw a task order, which may have no effect
        assert not torch.allclose(gradients[0], gradients[1])


def test_declared_weights_multiply_gradients_before_aggregation() -> None:
    with temporary_seed(0):
        run = build_run("mgda")
        weighting: Any = run.objective.weighting
        weighting.weights.copy_(torch.tensor([1.0, 0.5, 2.0, 1.0]))
        losses, rows, _ = run_backward(run, 0, (0, 1, 2))
        weighted_rows = rows * torch.tensor([1.0, 0.5, 2.0]).unsqueeze(1)
        expected = aggregate_with_torchjd(CASES["mgda"][1](range(3)), weighted_rows, 0)
    torch.testing.assert_close(concatenate_gradients(run.gradients.shared), expected, rtol=1e-4, atol=1e-6)
    total = (losses.values.detach() * torch.tensor([1.0, 0.5, 2.0])).sum()
    torch.testing.assert_close(run.objective.compute_total(losses).detach(), total)


def test_gradients_are_clipped_after_aggregation() -> None:
    with temporary_seed(0):
        run = build_run("upgrad")
        run.objective.on_step_start(0, 100)
        training_step(run.gradients, run.network, run.objective, run.optimizer, run.create_batch(range(4)), 1e-3)
        all_gradients = concatenate_gradients([*run.gradients.shared, *run.gradients.task_specific])
    assert float(all_gradients.norm()) == pytest.approx(1e-3, rel=1e-4)


def test_gradient_weights_are_reported() -> None:
    with temporary_seed(0):
        for name, weights in (("gradient-mean", 0.25), ("gradient-sum", 1.0), ("config", 1.0)):
            losses = build_run(name).run_step()
            assert losses.values.grad is not None
            assert losses.values.grad.tolist() == [weights] * 4
        losses = build_run("mgda").run_step()
        assert losses.values.grad is not None
        assert float(losses.values.grad.sum()) == pytest.approx(1.0)
        assert float(losses.values.grad.std()) > 0.01
