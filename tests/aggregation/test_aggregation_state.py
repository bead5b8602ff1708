"""State of aggregators for tasks that are missing from some batches."""

import pytest
import torch
from test_aggregation_properties import build_spec, draw_rows
from torchjd import aggregation

from mtl_torchjd.rule import AggregationResult, AggregationRule

TASKS = ["a", "b", "c"]
REQUIRED_OPTIONS = {
    "gradvac": {},
    "pcd": {},
    "excess-mtl": {},
    "cr-mogm": {"aggregator": {"type": "mgda"}},
    "nash-mtl": {},
}


def build_rule(name: str, **options: object) -> AggregationRule:
    if name == "nash-mtl":
        pytest.importorskip("ecos")
    return build_spec(name, **{**REQUIRED_OPTIONS.get(name, {}), **options}).build_rule(TASKS)


def compute_weights(rule: AggregationRule, rows: torch.Tensor, *tasks: int) -> torch.Tensor:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        result: AggregationResult = rule(rows[list(tasks)], torch.tensor(tasks))
    assert result.weights is not None
    return result.weights


@pytest.mark.parametrize("name", REQUIRED_OPTIONS)
def test_state_of_missing_tasks_is_unchanged(name: str) -> None:
    """Batches of two tasks leave the state of the third task unchanged, also that of its pairs with them."""
    rule, other = build_rule(name), build_rule(name)
    for seed in range(3):
        for one in (rule, other):
            compute_weights(one, draw_rows(seed, 3), 0, 1, 2)
    before = {key: value.clone() for key, value in rule.state_dict().items()}
    for seed in range(3, 6):
        compute_weights(rule, draw_rows(seed, 3), 0, 1)
    after = rule.state_dict()
    n_changed = 0
    for key, value in after.items():
        if not value.ndim:  # the step counter
            continue
        assert torch.equal(value[2], before[key][2]), key
        if key == "cosines":
            assert torch.equal(value[:, 2], before[key][:, 2])
        n_changed += not torch.equal(torch.nan_to_num(value[:2]), torch.nan_to_num(before[key][:2]))
    assert n_changed
    rule.load_state_dict({key: value.clone() for key, value in before.items()})
    torch.testing.assert_close(
        compute_weights(rule, draw_rows(9, 3), 0, 1, 2),
        compute_weights(other, draw_rows(9, 3), 0, 1, 2),
        rtol=0,
        atol=0,
    )


def test_gradvac_keeps_cosines_per_pair() -> None:
    """GradVac: a pair that was aligned in the past is aligned again, whichever tasks were active in between."""
    rows = torch.eye(3)
    aligned_rows = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.1, 0.0], [0.0, 0.0, 1.0]])
    rule = build_rule("gradvac")
    assert compute_weights(rule, rows, 0, 1).tolist() == [1, 1]
    compute_weights(rule, aligned_rows, 0, 1)
    compute_weights(rule, rows, 0, 2)
    assert compute_weights(rule, rows, 0, 2).tolist() == [1, 1]
    assert float(compute_weights(rule, rows, 0, 1).min()) > 1.2


def test_pcd_keeps_running_norms_per_task() -> None:
    """PCD: a task that appears later is treated as if only it and the primary task had been active."""
    rows = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [-10.0, 0.0, 10.0]])
    rule, direct = build_rule("pcd", tau=0.5, beta=0.9), aggregation.PCD(0.5, 0.9)
    for _ in range(5):
        compute_weights(rule, rows, 0, 1)
    gradient = compute_weights(rule, rows, 0, 2) @ rows[[0, 2]]
    torch.testing.assert_close(gradient, direct(rows[[0, 2]]), rtol=1e-4, atol=1e-5)


def test_pcd_without_the_primary_task_sums_gradients() -> None:
    rule = build_rule("pcd", primary="b")
    assert compute_weights(rule, draw_rows(0, 3), 0, 2).tolist() == [1, 1]
    task_weights = compute_weights(rule, draw_rows(0, 3), 0, 1, 2)
    expected = aggregation.PCD().gramian_weighting
    order = draw_rows(0, 3)[[1, 0, 2]]
    torch.testing.assert_close(task_weights[[1, 0, 2]], expected(order @ order.T), rtol=1e-4, atol=1e-6)


def test_weights_of_active_tasks_sum_to_one_and_missing_tasks_keep_theirs() -> None:
    rule = build_rule("excess-mtl")
    for seed in range(4):
        assert float(compute_weights(rule, draw_rows(seed, 3), 0, 1, 2).sum()) == pytest.approx(1)
    before = torch.softmax(rule.state_dict()["logits"], dim=0)
    assert float(compute_weights(rule, draw_rows(5, 3) * 3, 0, 2).sum()) == pytest.approx(1)
    after = torch.softmax(rule.state_dict()["logits"], dim=0)
    assert float(after[1]) == pytest.approx(float(before[1]), rel=1e-5)
    assert not torch.allclose(after, before)


def test_task_missing_in_warmup_gets_its_baseline_from_its_first_step() -> None:
    rule, other = build_rule("excess-mtl", n_warmup_steps=2), build_rule("excess-mtl")
    assert compute_weights(rule, draw_rows(0, 3), 0, 1).tolist() == [0.5, 0.5]
    assert compute_weights(rule, draw_rows(1, 3), 0, 1).tolist() == [0.5, 0.5]
    compute_weights(rule, draw_rows(2, 3), 1, 2)
    compute_weights(other, draw_rows(2, 3), 1, 2)
    assert float(rule.state_dict()["baseline"][2]) == pytest.approx(float(other.state_dict()["baseline"][2]))
    assert float(rule.state_dict()["baseline"][1]) != pytest.approx(float(other.state_dict()["baseline"][1]))


def test_nash_mtl_reuses_the_last_weight_per_task() -> None:
    """If no solution is found, each task keeps its last weight; the initial weight is 1."""
    rule, rows = build_rule("nash-mtl", update_weights_every=2, max_norm=0.0), draw_rows(0, 3)
    first = compute_weights(rule, rows, 0, 1)
    assert not torch.allclose(first, torch.ones(2))
    task_weights = compute_weights(rule, rows, 0, 1, 2)
    torch.testing.assert_close(task_weights, torch.cat([first, torch.ones(1)]))
    assert not torch.allclose(compute_weights(rule, rows, 0, 1, 2), task_weights)


def test_nash_mtl_with_one_task_clips_its_gradient() -> None:
    rule, rows = build_rule("nash-mtl", max_norm=0.5), draw_rows(0, 3) * 10
    assert float((compute_weights(rule, rows, 1) @ rows[[1]]).norm()) == pytest.approx(0.5, rel=1e-4)
    assert compute_weights(rule, rows * 1e-5, 1).tolist() == [1]
    assert compute_weights(rule, torch.zeros(3, 4), 0, 1, 2).tolist() == [1, 1, 1]


def test_smoothed_weights_start_with_the_first_weights_per_task() -> None:
    rule, plain = build_rule("cr-mogm", alpha=0.5), build_spec("mgda").build_rule(TASKS)
    first, second = draw_rows(0, 3), draw_rows(1, 3)
    before = compute_weights(plain, first, 0, 1)
    torch.testing.assert_close(compute_weights(rule, first, 0, 1), before)
    new = compute_weights(plain, second, 1, 2)
    expected = torch.stack([(before[1] + new[0]) / 2, new[1]])
    torch.testing.assert_close(compute_weights(rule, second, 1, 2), expected)
