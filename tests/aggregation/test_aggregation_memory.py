"""State of aggregators for tasks that are missing from some batches."""

import pytest
import torch
from test_aggregation_properties import rows_of, spec_of
from torchjd import aggregation

from mtl_torchjd.rules import Combined, Rule

TASKS = ["a", "b", "c"]
NEEDED = {"gradvac": {}, "pcd": {}, "excess-mtl": {}, "cr-mogm": {"of": {"type": "mgda"}}, "nash-mtl": {}}


def rule_of(name: str, **options: object) -> Rule:
    if name == "nash-mtl":
        pytest.importorskip("ecos")
    return spec_of(name, **{**NEEDED.get(name, {}), **options}).rule(TASKS)


def weights(rule: Rule, rows: torch.Tensor, *tasks: int) -> torch.Tensor:
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        found: Combined = rule(rows[list(tasks)], torch.tensor(tasks))
    assert found.weights is not None
    return found.weights


@pytest.mark.parametrize("name", NEEDED)
def test_what_is_known_of_absent_tasks_stays(name: str) -> None:
    """Batches of two tasks leave the state of the third task unchanged, also that of its pairs with them."""
    rule, other = rule_of(name), rule_of(name)
    for seed in range(3):
        for one in (rule, other):
            weights(one, rows_of(seed, 3), 0, 1, 2)
    before = {key: value.clone() for key, value in rule.state_dict().items()}
    for seed in range(3, 6):
        weights(rule, rows_of(seed, 3), 0, 1)
    after = rule.state_dict()
    changed = 0
    for key, value in after.items():
        if not value.ndim:  # the step counter
            continue
        assert torch.equal(value[2], before[key][2]), key
        if key == "cosines":
            assert torch.equal(value[:, 2], before[key][:, 2])
        changed += not torch.equal(torch.nan_to_num(value[:2]), torch.nan_to_num(before[key][:2]))
    assert changed
    rule.load_state_dict({key: value.clone() for key, value in before.items()})
    torch.testing.assert_close(
        weights(rule, rows_of(9, 3), 0, 1, 2), weights(other, rows_of(9, 3), 0, 1, 2), rtol=0, atol=0
    )


def test_usual_cosines_are_those_of_pairs() -> None:
    """GradVac: a pair that was aligned in the past is aligned again, whichever tasks were active in between."""
    rows = torch.eye(3)
    alike = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.1, 0.0], [0.0, 0.0, 1.0]])
    rule = rule_of("gradvac")
    assert weights(rule, rows, 0, 1).tolist() == [1, 1]
    weights(rule, alike, 0, 1)
    weights(rule, rows, 0, 2)
    assert weights(rule, rows, 0, 2).tolist() == [1, 1]
    assert float(weights(rule, rows, 0, 1).min()) > 1.2


def test_running_means_of_norms_are_each_tasks_own() -> None:
    """PCD: a task that appears later is treated as if only it and the primary task had been active."""
    rows = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 1.0, 0.0], [-10.0, 0.0, 10.0]])
    rule, direct = rule_of("pcd", tau=0.5, beta=0.9), aggregation.PCD(0.5, 0.9)
    for _ in range(5):
        weights(rule, rows, 0, 1)
    found = weights(rule, rows, 0, 2) @ rows[[0, 2]]
    torch.testing.assert_close(found, direct(rows[[0, 2]]), rtol=1e-4, atol=1e-5)


def test_without_the_primary_task_the_others_are_added_up() -> None:
    rule = rule_of("pcd", primary="b")
    assert weights(rule, rows_of(0, 3), 0, 2).tolist() == [1, 1]
    found = weights(rule, rows_of(0, 3), 0, 1, 2)
    expected = aggregation.PCD().gramian_weighting
    order = rows_of(0, 3)[[1, 0, 2]]
    torch.testing.assert_close(found[[1, 0, 2]], expected(order @ order.T), rtol=1e-4, atol=1e-6)


def test_weights_of_tasks_in_a_batch_sum_to_one_and_keep_what_they_have_of_all() -> None:
    rule = rule_of("excess-mtl")
    for seed in range(4):
        assert float(weights(rule, rows_of(seed, 3), 0, 1, 2).sum()) == pytest.approx(1)
    before = torch.softmax(rule.state_dict()["logits"], dim=0)
    assert float(weights(rule, rows_of(5, 3) * 3, 0, 2).sum()) == pytest.approx(1)
    after = torch.softmax(rule.state_dict()["logits"], dim=0)
    assert float(after[1]) == pytest.approx(float(before[1]), rel=1e-5)
    assert not torch.allclose(after, before)


def test_a_task_that_was_not_there_in_the_warm_up_is_measured_by_its_first_step() -> None:
    rule, other = rule_of("excess-mtl", n_warmup_steps=2), rule_of("excess-mtl")
    assert weights(rule, rows_of(0, 3), 0, 1).tolist() == [0.5, 0.5]
    assert weights(rule, rows_of(1, 3), 0, 1).tolist() == [0.5, 0.5]
    weights(rule, rows_of(2, 3), 1, 2)
    weights(other, rows_of(2, 3), 1, 2)
    assert float(rule.state_dict()["baseline"][2]) == pytest.approx(float(other.state_dict()["baseline"][2]))
    assert float(rule.state_dict()["baseline"][1]) != pytest.approx(float(other.state_dict()["baseline"][1]))


def test_bargaining_goes_on_from_each_tasks_last_weight() -> None:
    """If no solution is found, each task keeps its last weight; the initial weight is 1."""
    rule, rows = rule_of("nash-mtl", update_weights_every=2, max_norm=0.0), rows_of(0, 3)
    first = weights(rule, rows, 0, 1)
    assert not torch.allclose(first, torch.ones(2))
    found = weights(rule, rows, 0, 1, 2)
    torch.testing.assert_close(found, torch.cat([first, torch.ones(1)]))
    assert not torch.allclose(weights(rule, rows, 0, 1, 2), found)


def test_one_task_alone_is_bargained_about_with_nobody() -> None:
    rule, rows = rule_of("nash-mtl", max_norm=0.5), rows_of(0, 3) * 10
    assert float((weights(rule, rows, 1) @ rows[[1]]).norm()) == pytest.approx(0.5, rel=1e-4)
    assert weights(rule, rows * 1e-5, 1).tolist() == [1]
    assert weights(rule, torch.zeros(3, 4), 0, 1, 2).tolist() == [1, 1, 1]


def test_smoothed_weights_begin_with_a_tasks_first_ones() -> None:
    rule, plain = rule_of("cr-mogm", alpha=0.5), spec_of("mgda").rule(TASKS)
    first, second = rows_of(0, 3), rows_of(1, 3)
    before = weights(plain, first, 0, 1)
    torch.testing.assert_close(weights(rule, first, 0, 1), before)
    new = weights(plain, second, 1, 2)
    expected = torch.stack([(before[1] + new[0]) / 2, new[1]])
    torch.testing.assert_close(weights(rule, second, 1, 2), expected)
