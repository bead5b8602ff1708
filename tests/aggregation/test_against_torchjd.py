"""In every step, every aggregator computes the same shared gradients as a direct call of TorchJD."""

import pytest
import torch
from by_hand import CASES, aggregated, backward, given, spec_of

from mtl_core.packages import what_is_missing
from mtl_core.plugins import Plugins
from mtl_core.registry import Registry
from mtl_core.testing.randomness import left_alone, seeded
from mtl_core.testing.sample_run import SampleRun
from mtl_core.training.step import training_step

REGISTRY = Registry(Plugins.installed())
STEPS = 4


def run_of(name: str) -> SampleRun:
    spec = spec_of(name, REGISTRY)
    if flaw := what_is_missing(spec.needs()):
        pytest.skip(f"'{name}' {flaw}")
    return SampleRun(spec)


@pytest.mark.filterwarnings("ignore:You are solving a parameterized problem")  # TorchJD's Nash-MTL
@pytest.mark.parametrize("active", [(0, 1, 2, 3), (0, 2, 3), (0, 2), (0,)], ids=str)
@pytest.mark.parametrize("name", CASES)
def test_it_is_what_torchjd_says_of_the_tasks_in_the_batch(name: str, active: tuple[int, ...]) -> None:
    """TorchJD receives only the tasks of the batch, whichever other tasks exist."""
    if name == "nash-mtl" and len(active) == 1:
        pytest.skip("TorchJD's solver refuses a single task")
    with seeded(0):
        run, aggregator = run_of(name), CASES[name][1](active)
        for step in range(STEPS):
            with left_alone():
                _, rows, own = backward(run, step, active)
            expected = aggregated(aggregator, rows, step)
            assert bool(expected.any())
            torch.testing.assert_close(given(run.gradients.shared), expected, rtol=2e-4, atol=1e-6)
            torch.testing.assert_close(torch.nan_to_num(given(run.gradients.own)), own)
            run.optimizer.step()


def test_every_aggregator_and_weighting_of_torchjd_is_here_or_is_known_not_to_be() -> None:
    """Detects aggregators that a new version of TorchJD adds."""
    from torchjd import aggregation

    bases = {"Aggregator", "GramianWeightedAggregator", "WeightedAggregator", "Weighting"}
    offered = {name.removesuffix("Weighting") for name in set(aggregation.__all__) - bases}
    ours = {name.split(",")[0].replace("-", "") for name in CASES}
    ours = (ours - {"randomgradient"}) | {"random"}
    two_batches = {"modo", "sdmgrad"}  # they compare the gradients of two batches
    assert {name.lower() for name in offered} == ours | two_batches


@pytest.mark.parametrize("name", ["pcgrad", "gradvac", "graddrop", "random-gradient"])
def test_random_ones_draw_anew_in_each_step_and_alike_under_its_seed(name: str) -> None:
    with seeded(0):
        found = []
        for step in (3, 4, 3):
            run = run_of(name)
            torch.manual_seed(len(found))
            backward(run, step, range(4))
            found.append(given(run.gradients.shared))
    assert torch.equal(found[0], found[2])
    if name in {"graddrop", "random-gradient"}:  # the other rules draw a task order, which may have no effect
        assert not torch.allclose(found[0], found[1])


def test_declared_weights_multiply_gradients_before_they_are_combined() -> None:
    with seeded(0):
        run = run_of("mgda")
        run.objective.weighting.weights.copy_(torch.tensor([1.0, 0.5, 2.0, 1.0]))
        losses, rows, _ = backward(run, 0, (0, 1, 2))
        weighed = rows * torch.tensor([1.0, 0.5, 2.0]).unsqueeze(1)
        expected = aggregated(CASES["mgda"][1](range(3)), weighed, 0)
    torch.testing.assert_close(given(run.gradients.shared), expected, rtol=1e-4, atol=1e-6)
    total = (losses.values.detach() * torch.tensor([1.0, 0.5, 2.0])).sum()
    torch.testing.assert_close(run.objective.total(losses).detach(), total)


def test_gradients_are_scaled_down_after_they_are_combined() -> None:
    with seeded(0):
        run = run_of("upgrad")
        run.objective.at(0, 100)
        training_step(run.gradients, run.network, run.objective, run.optimizer, run.batch(range(4)), 1e-3)
        everything = given([*run.gradients.shared, *run.gradients.own])
    assert float(everything.norm()) == pytest.approx(1e-3, rel=1e-4)


def test_what_gradients_counted_is_told() -> None:
    with seeded(0):
        for name, weights in (("mean", 0.25), ("sum", 1.0), ("config", 1.0)):
            losses = run_of(name).step()
            assert losses.values.grad is not None
            assert losses.values.grad.tolist() == [weights] * 4
        losses = run_of("mgda").step()
        assert losses.values.grad is not None
        assert float(losses.values.grad.sum()) == pytest.approx(1.0)
        assert float(losses.values.grad.std()) > 0.01
