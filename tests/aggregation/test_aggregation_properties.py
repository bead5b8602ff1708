"""Mathematical properties of aggregators, tested on random Jacobians."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.model.features import Features
from mtl_core.model.heads import SeparateHeads
from mtl_core.plugins import Plugins
from mtl_core.registry import Registry
from mtl_core.testing.randomness import seeded
from mtl_core.testing.sample_run import TASKS, SampleRun
from mtl_torchjd.aggregation import AggregationError, GradientAggregation
from mtl_torchjd.aggregator_spec import AggregatorSpec
from mtl_torchjd.rules import Combined, Rule

REGISTRY = Registry(Plugins.installed())
ALL = [
    name
    for name, [offer] in REGISTRY.offers("weightings").items()
    if offer.plugin == "torchjd" and name != "nash-mtl"
]


def spec_of(name: str, **options: object) -> AggregatorSpec:
    spec = REGISTRY.find("weightings", name).model_validate(
        {"type": name, **options}, context={"registry": REGISTRY}
    )
    assert isinstance(spec, AggregatorSpec)
    return spec


def combined(name: str, rows: torch.Tensor, **options: object) -> torch.Tensor:
    rule = spec_of(name, **options).rule([str(task) for task in range(len(rows))])
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        found: Combined = rule(rows, torch.arange(len(rows)))
    return found.gradient


def rows_of(seed: int, tasks: int, numbers: int = 9) -> torch.Tensor:
    return torch.randn(tasks, numbers, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_two_conflicting_tasks_are_projected_on_each_others_normal_plane(seed: int) -> None:
    first, second = rows_of(seed, 2)
    product = torch.dot(first, second)
    expected = first + second
    if product < 0:
        expected = (first - product / second.dot(second) * second) + (second - product / first.dot(first) * first)
    torch.testing.assert_close(combined("pcgrad", torch.stack([first, second])), expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), tasks=st.integers(2, 6), name=st.sampled_from(["upgrad", "dualproj"]))
def test_no_tasks_loss_rises_to_first_order(seed: int, tasks: int, name: str) -> None:
    rows = rows_of(seed, tasks)
    slopes = rows @ combined(name, rows, reg_eps=1e-7)
    assert bool((slopes >= -1e-3 * slopes.abs().max()).all())


def test_the_sum_does_raise_a_conflicting_tasks_loss() -> None:
    rows = torch.tensor([[1.0, 0.0], [-3.0, 0.5]])
    assert float((rows @ combined("sum", rows)).min()) < -1
    for name in ("upgrad", "dualproj", "pcgrad", "config"):
        assert float((rows @ combined(name, rows)).min()) > -1e-2, name


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), tasks=st.integers(2, 5))
def test_impartial_steps_have_the_same_projection_on_each_gradient(seed: int, tasks: int) -> None:
    rows = rows_of(seed, tasks)
    projections = (rows @ combined("imtl-g", rows)) / rows.norm(dim=1)
    torch.testing.assert_close(projections, projections.mean().expand(tasks), rtol=1e-2, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), tasks=st.integers(2, 5))
def test_the_shortest_mean_is_not_longer_than_any_other(seed: int, tasks: int) -> None:
    rows = rows_of(seed, tasks)
    length = float(combined("mgda", rows, epsilon=1e-6, max_iters=400).norm())
    others = torch.rand(50, tasks, generator=torch.Generator().manual_seed(seed))
    assert length <= float((others / others.sum(dim=1, keepdim=True) @ rows).norm(dim=1).min()) + 1e-2


def test_the_first_task_is_preferred_and_the_others_get_their_share() -> None:
    rows = torch.tensor([[1.0, 0.0, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    free, bound = (combined("pcd", rows, tau=tau) for tau in (0.0, 0.3))
    for found in (free, bound):
        assert float(found.norm()) == pytest.approx(1.0, rel=1e-4)
    assert float((rows @ free).min()) > -1e-4
    assert float((rows @ bound)[1:].min()) > 0.2
    assert float(rows[0] @ free) > float(rows[0] @ bound)
    last = combined("pcd", rows, primary="2", tau=0.0)
    torch.testing.assert_close(last, rows[2], rtol=1e-4, atol=1e-4)


ODD = {
    "all zero": torch.zeros(4, 5),
    "one zero": torch.cat([rows_of(0, 3, 5), torch.zeros(1, 5)]),
    "all equal": rows_of(1, 1, 5).repeat(4, 1),
    "opposed": torch.cat([rows_of(1, 1, 5), -rows_of(1, 1, 5)]),
    "one task": rows_of(2, 1, 5),
    "one task, zero": torch.zeros(1, 5),
    "tiny": rows_of(3, 4, 5) * 1e-12,
    "huge": rows_of(4, 4, 5) * 1e8,
    "of many sizes": rows_of(5, 4, 5) * torch.tensor([1e-6, 1.0, 1e3, 1e5]).unsqueeze(1),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("name", ALL)
def test_odd_gradients_make_a_finite_step(name: str, kind: str) -> None:
    rows = ODD[kind]
    found = combined(name, rows)
    assert bool(found.isfinite().all())
    if not rows.any():
        assert not found.any()


@pytest.mark.parametrize("name", ["pcgrad", "upgrad", "cagrad", "imtl-g", "fairgrad", "config", "mgda"])
def test_a_gradient_that_is_no_number_names_its_task(name: str) -> None:
    with seeded(0):
        run = SampleRun(spec_of(name))
        [group] = run.network.head_groups()
        assert isinstance(group, SeparateHeads)
        # The square root of 0: its value is finite, its gradient is not.
        list(group.heads.values())[2].register_forward_pre_hook(
            lambda _, read: (Features(read[0].values + (read[0].values * 0).sqrt(), read[0].mask),)
        )
        with pytest.raises(AggregationError, match=r"^the gradient of task 'third' is not finite$"):
            run.step()
        run.step((0, 1, 3))


class Stuck(Rule):
    def forward(self, rows: torch.Tensor, tasks: torch.Tensor) -> Combined:
        raise ValueError("no solution")


class Boundless(Rule):
    def forward(self, rows: torch.Tensor, tasks: torch.Tensor) -> Combined:
        return Combined(rows[0] / 0)


def test_a_rule_that_finds_no_step_says_so() -> None:
    with seeded(0):
        run = SampleRun(spec_of("sum"))
        for rule, what in (
            (Stuck(), "gradients cannot be aggregated: no solution"),
            (Boundless(), "the aggregated gradient is not finite"),
        ):
            run.objective.weighting = GradientAggregation("own", TASKS, [1.0] * 4, rule)
            with pytest.raises(AggregationError, match=f"^weighting 'own': {what}$"):
                run.step()
