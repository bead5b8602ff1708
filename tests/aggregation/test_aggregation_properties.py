"""Mathematical properties of aggregators, tested on random Jacobians."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.nn.features import Features
from mtl_core.nn.heads import SeparateHeads
from mtl_core.plugins.loading import Plugins
from mtl_core.plugins.registry import Registry
from mtl_core.testing.rng import temporary_seed
from mtl_core.testing.sample_run import TASKS, SampleRun
from mtl_torchjd.aggregator_spec import AggregatorSpec
from mtl_torchjd.gradient_aggregation import AggregationError, GradientAggregation
from mtl_torchjd.rule import AggregationResult, AggregationRule

REGISTRY = Registry(Plugins.load_installed())
NAMES = [
    name
    for name, [offer] in REGISTRY.get_specs("weightings").items()
    if offer.plugin == "torchjd" and name != "nash-mtl"
]


def build_spec(name: str, **options: object) -> AggregatorSpec:
    spec = REGISTRY.find("weightings", name).model_validate({"type": name, **options}, context={"registry": REGISTRY})
    assert isinstance(spec, AggregatorSpec)
    return spec


def aggregate(name: str, rows: torch.Tensor, **options: object) -> torch.Tensor:
    rule = build_spec(name, **options).build_rule([str(task) for task in range(len(rows))])
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        result: AggregationResult = rule(rows, torch.arange(len(rows)))
    return result.gradient


def draw_rows(seed: int, tasks: int, numbers: int = 9) -> torch.Tensor:
    return torch.randn(tasks, numbers, generator=torch.Generator().manual_seed(seed))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_pcgrad_projects_conflicting_gradients(seed: int) -> None:
    first, second = draw_rows(seed, 2)
    product = torch.dot(first, second)
    expected = first + second
    if product < 0:
        expected = (first - product / second.dot(second) * second) + (second - product / first.dot(first) * first)
    torch.testing.assert_close(aggregate("pcgrad", torch.stack([first, second])), expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), tasks=st.integers(2, 6), name=st.sampled_from(["upgrad", "dualproj"]))
def test_no_task_loss_increases_to_first_order(seed: int, tasks: int, name: str) -> None:
    rows = draw_rows(seed, tasks)
    directional_derivatives = rows @ aggregate(name, rows, reg_eps=1e-7)
    assert bool((directional_derivatives >= -1e-3 * directional_derivatives.abs().max()).all())


def test_sum_increases_the_loss_of_a_conflicting_task() -> None:
    rows = torch.tensor([[1.0, 0.0], [-3.0, 0.5]])
    assert float((rows @ aggregate("gradient-sum", rows)).min()) < -1
    for name in ("upgrad", "dualproj", "pcgrad", "config"):
        assert float((rows @ aggregate(name, rows)).min()) > -1e-2, name


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), tasks=st.integers(2, 5))
def test_imtl_g_step_has_equal_projections_on_all_gradients(seed: int, tasks: int) -> None:
    rows = draw_rows(seed, tasks)
    projections = (rows @ aggregate("imtl-g", rows)) / rows.norm(dim=1)
    torch.testing.assert_close(projections, projections.mean().expand(tasks), rtol=1e-2, atol=1e-3)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), tasks=st.integers(2, 5))
def test_mgda_finds_the_shortest_convex_combination(seed: int, tasks: int) -> None:
    rows = draw_rows(seed, tasks)
    length = float(aggregate("mgda", rows, epsilon=1e-6, max_iters=400).norm())
    random_weights = torch.rand(50, tasks, generator=torch.Generator().manual_seed(seed))
    assert length <= float((random_weights / random_weights.sum(dim=1, keepdim=True) @ rows).norm(dim=1).min()) + 1e-2


def test_pcd_prefers_the_primary_task_and_guarantees_a_share() -> None:
    rows = torch.tensor([[1.0, 0.0, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]])
    unconstrained, constrained = (aggregate("pcd", rows, tau=tau) for tau in (0.0, 0.3))
    for gradient in (unconstrained, constrained):
        assert float(gradient.norm()) == pytest.approx(1.0, rel=1e-4)
    assert float((rows @ unconstrained).min()) > -1e-4
    assert float((rows @ constrained)[1:].min()) > 0.2
    assert float(rows[0] @ unconstrained) > float(rows[0] @ constrained)
    third_preferred = aggregate("pcd", rows, primary="2", tau=0.0)
    torch.testing.assert_close(third_preferred, rows[2], rtol=1e-4, atol=1e-4)


EDGE_CASES = {
    "all zero": torch.zeros(4, 5),
    "one zero": torch.cat([draw_rows(0, 3, 5), torch.zeros(1, 5)]),
    "all equal": draw_rows(1, 1, 5).repeat(4, 1),
    "opposed": torch.cat([draw_rows(1, 1, 5), -draw_rows(1, 1, 5)]),
    "one task": draw_rows(2, 1, 5),
    "one task, zero": torch.zeros(1, 5),
    "tiny": draw_rows(3, 4, 5) * 1e-12,
    "huge": draw_rows(4, 4, 5) * 1e8,
    "of many sizes": draw_rows(5, 4, 5) * torch.tensor([1e-6, 1.0, 1e3, 1e5]).unsqueeze(1),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", EDGE_CASES)
@pytest.mark.parametrize("name", NAMES)
def test_edge_cases_result_in_a_finite_step(name: str, kind: str) -> None:
    rows = EDGE_CASES[kind]
    gradient = aggregate(name, rows)
    assert bool(gradient.isfinite().all())
    if not rows.any():
        assert not gradient.any()


@pytest.mark.parametrize("name", ["pcgrad", "upgrad", "cagrad", "imtl-g", "fairgrad", "config", "mgda"])
def test_non_finite_gradient_reports_its_task(name: str) -> None:
    with temporary_seed(0):
        run = SampleRun(build_spec(name))
        [group] = run.network.head_groups()
        assert isinstance(group, SeparateHeads)
        # The square root of 0: its value is finite, its gradient is not.
        list(group.heads.values())[2].register_forward_pre_hook(
            lambda _, inputs: (Features(inputs[0].values + (inputs[0].values * 0).sqrt(), inputs[0].mask),)
        )
        with pytest.raises(AggregationError, match=r"^the gradient of task 'third' is not finite$"):
            run.run_step()
        run.run_step((0, 1, 3))


class FailingRule(AggregationRule):
    def forward(self, rows: torch.Tensor, tasks: torch.Tensor) -> AggregationResult:
        raise ValueError("no solution")


class InfiniteRule(AggregationRule):
    def forward(self, rows: torch.Tensor, tasks: torch.Tensor) -> AggregationResult:
        return AggregationResult(rows[0] / 0)


def test_rule_without_a_valid_step_is_reported() -> None:
    with temporary_seed(0):
        run = SampleRun(build_spec("gradient-sum"))
        for rule, message in (
            (FailingRule(), "gradients cannot be aggregated: no solution"),
            (InfiniteRule(), "the aggregated gradient is not finite"),
        ):
            run.objective.weighting = GradientAggregation("own", TASKS, [1.0] * 4, rule)
            with pytest.raises(AggregationError, match=f"^weighting 'own': {message}$"):
                run.run_step()
