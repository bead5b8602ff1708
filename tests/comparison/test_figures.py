"""Scores of resampled examples, differences, and Delta_m over all tasks, against hand-computed values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from one_task import OneTask

from mtl_core.comparison.bootstrap import draw_examples
from mtl_core.comparison.compare import measured_by
from mtl_core.comparison.measure import Contender, Measurement, Pooling
from mtl_core.comparison.outputs import Said
from mtl_core.comparison.scores import SeedScores
from mtl_core.config.experiment import Selection
from mtl_core.runs.outputs import TaskOutputs
from mtl_core.specs import MetricSpec
from mtl_core.training.groups import LearnedTask

CLASSES = ["a", "b", "c"]
RESTRICTED = {"type": "restricted-accuracy", "name": "two_way", "classes": ["a", "c"]}
KINDS: dict[str, tuple[Any, Sequence[Any]]] = {
    "classification": (
        {"type": "classification", "classes": CLASSES, "metrics": ["accuracy", "macro-f1", RESTRICTED]},
        ["a", "b", "c", "a", "b"],
    ),
    "ordinal": (
        {"type": "ordinal", "classes": CLASSES, "metrics": ["accuracy", "rank-distance", "quadratic-kappa"]},
        ["a", "b", "c", "c"],
    ),
    "binary": ({"type": "binary", "classes": ["no", "yes"], "metrics": ["accuracy", "macro-f1"]}, ["no", "yes"]),
    "multi-label": ({"type": "multi-label", "classes": CLASSES}, [["a"], ["b", "c"], []]),
    "numbers": ({"type": "regression"}, [0.5, 1.5, -3.0, 2.0]),
    "lists of numbers": ({"type": "regression", "outputs": 2}, [[0.5, 1.0], [1.5, -2.0], [3.0, 0.0]]),
}


def said(task: LearnedTask, outputs: torch.Tensor, targets: torch.Tensor, ids: Sequence[str]) -> Said:
    return Said(task, TaskOutputs(outputs, targets, torch.arange(len(targets))), np.array(ids))


def random_said(kind: str, labels: int, examples: int, seed: int) -> Said:
    """Draw random outputs for labels of some examples; an example may have several labels."""
    block, training = KINDS[kind]
    task = OneTask(block, training).task
    random = np.random.default_rng(seed)
    gold = [training[code] for code in random.integers(len(training), size=labels)]
    if kind == "lists of numbers":
        gold = [[None if random.random() < 0.2 else one for one in label] for label in gold]
        gold = [label if any(one is not None for one in label) else training[0] for label in gold]
    targets = torch.from_numpy(task.space.encode(gold, [""] * labels))
    outputs = torch.from_numpy(random.normal(size=(labels, task.kind.outputs)).astype(np.float32))
    return said(task, outputs, targets, sorted(f"e{one}" for one in random.integers(examples, size=labels)))


def metric_of(task: LearnedTask, key: str) -> MetricSpec:
    return next(metric for metric in task.kind.metrics if metric.key() == key)


PAIRS = [
    (kind, metric)
    for kind, (block, training) in KINDS.items()
    for metric in [spec.key() for spec in OneTask(block, training).task.kind.metrics if spec.scalar]
]


@pytest.mark.parametrize(("kind", "metric"), PAIRS)
def test_sums_of_labels_give_the_figures_that_torchmetrics_gives(kind: str, metric: str) -> None:
    """Both resampling methods agree: one matrix product, and the metric on the drawn labels."""
    examples = [f"e{number}" for number in range(12)]
    places = {one: place for place, one in enumerate(examples)}
    for seed in range(3):
        part = random_said(kind, 25, 12, seed)
        spec = metric_of(part.task, metric)
        scores = SeedScores(spec, [part], places)
        drawn = np.concatenate(list(draw_examples(12, 20, seed)))
        fast = scores.figures_of(drawn)
        scores._sums = None
        assert fast == pytest.approx(scores.figures_of(drawn), abs=1e-6, nan_ok=True)
        assert scores.counts_of(drawn).tolist() == [
            sum(int(often[places[one]]) for one in _scored_ids(spec, part)) for often in drawn
        ]


def _scored_ids(spec: MetricSpec, part: Said) -> list[str]:
    rows = spec.scored(part.task.space, part.outputs.targets).numpy()
    return [str(one) for one in part.ids[rows]]


def test_the_metrics_that_are_made_of_sums_are_not_computed_draw_by_draw() -> None:
    fast = {metric for kind, metric in PAIRS if _is_fast(kind, metric)}
    assert fast == {"accuracy", "macro_f1", "two_way", "rank_distance", "micro_f1", "exact_match", "mae", "rmse"}


def _is_fast(kind: str, metric: str) -> bool:
    part = random_said(kind, 5, 5, 0)
    places = {one: place for place, one in enumerate(dict.fromkeys(part.ids.tolist()))}
    return SeedScores(metric_of(part.task, metric), [part], places)._sums is not None


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), cut=st.integers(1, 19))
def test_folds_are_put_together_before_anything_is_measured(seed: int, cut: int) -> None:
    whole = random_said("classification", 20, 20, seed)
    parts = [_rows(whole, slice(0, cut)), _rows(whole, slice(cut, None))]
    places = {f"e{number}": number for number in range(20)}
    for metric in ("accuracy", "macro_f1"):
        spec = metric_of(whole.task, metric)
        assert SeedScores(spec, parts, places).figure == SeedScores(spec, [whole], places).figure


def _rows(part: Said, rows: slice) -> Said:
    one = part.outputs
    return said(part.task, one.outputs[rows], one.targets[rows], part.ids[rows].tolist())


# ── a measurement by hand ──

ACCURACIES = {"t": [0.5, 0.75], "u": [0.25, 0.25]}


def answers(task: LearnedTask, right: float) -> Said:
    """Return outputs for four labels of class a, of which a fraction is predicted correctly."""
    outputs = torch.zeros(4, 3)
    outputs[:, 1] = 1
    outputs[: round(4 * right), 0] = 2
    return said(task, outputs, torch.zeros(4, dtype=torch.int64), [f"e{number}" for number in range(4)])


def contender(name: str, right: Mapping[str, Sequence[float]]) -> Contender:
    task = OneTask(KINDS["classification"][0], CLASSES).task
    seeds = len(next(iter(right.values())))
    return Contender(
        name, "variant", [[{one: answers(task, right[one][seed]) for one in right}] for seed in range(seeds)]
    )


def measured(pooling: Pooling = "overall", *contenders: Contender) -> Measurement:
    spec = OneTask(KINDS["classification"][0], CLASSES).task.kind.metrics[0]
    examples = [f"e{number}" for number in range(4)]
    return Measurement(contenders, {"t": spec, "u": spec}, pooling, examples, 200, 1)


def test_delta_m_is_the_mean_over_tasks_of_relative_gains_in_percent() -> None:
    single = contender("single", {"t": [0.5, 0.5], "u": [0.5, 0.25]})
    ours = contender("ours", {"t": [0.75, 0.5], "u": [0.25, 0.25]})
    found = measured("overall", single, ours)
    # t: 0.625 against 0.5 is +25 %; u: 0.25 against 0.375 is -33.3 %
    assert found.gain("ours", "single").mean == pytest.approx((25 - 100 / 3) / 2)
    assert found.gain("single", "single").mean == 0


def test_of_errors_less_is_a_gain() -> None:
    task = OneTask({"type": "regression", "standardise": False}, [0.0, 1.0]).task
    spec = task.kind.metrics[0]
    ids = ["e0", "e1"]

    def errs(name: str, by: float) -> Contender:
        part = said(task, torch.full((2, 1), by), torch.zeros(2), ids)
        return Contender(name, "variant", [[{"t": part}]])

    found = Measurement([errs("single", 2.0), errs("ours", 1.5)], {"t": spec}, "none", ids, 100, 0)
    assert found.gain("ours", "single").mean == pytest.approx(25)
    assert found.differences("ours", "single")["t"].mean == pytest.approx(-0.5)
    assert found.differences("ours", "single")["t"].verdict == "gained"
    assert found.differences("single", "ours")["t"].verdict == "suffered"


def test_what_is_0_or_undefined_in_the_reference_is_left_out_of_the_gain() -> None:
    single = contender("single", {"t": [0.5], "u": [0.0]})
    ours = contender("ours", {"t": [0.75], "u": [0.5]})
    found = measured("overall", single, ours)
    assert found.gain("ours", "single").mean == pytest.approx(50)
    nothing = contender("single", {"t": [0.0], "u": [0.0]})
    assert measured("overall", nothing, ours).gain("ours", "single").mean is None


def test_figures_differences_and_the_overall_figure_are_means_over_seeds() -> None:
    single, ours = contender("single", {"t": [0.5, 0.5], "u": [0.5, 0.25]}), contender("ours", ACCURACIES)
    found = measured("overall", single, ours)
    figures = found.figures("ours")
    assert found.estimate(figures["t"]).mean == pytest.approx(0.625)
    assert found.estimate(figures["t"]).seeds == [0.5, 0.75]
    assert found.estimate(figures["overall"]).seeds == [0.375, 0.5]
    assert found.differences("ours", "single")["t"].mean == pytest.approx(0.125)
    assert found.differences("ours", "single")["overall"].mean == pytest.approx(0.0)
    assert set(measured("none", single, ours).figures("ours")) == {"t", "u"}


def test_overall_every_label_counts_once_and_by_the_mean_every_task() -> None:
    task = OneTask(KINDS["classification"][0], CLASSES).task
    spec, ids = task.kind.metrics[0], ["e0", "e1", "e2", "e3", "e4"]
    few = said(task, torch.eye(3)[[0]], torch.zeros(1, dtype=torch.int64), ids[4:])
    one = Contender("one", "variant", [[{"t": answers(task, 0.25), "u": few}]])
    for pooling, figure in (("overall", 2 / 5), ("mean", (0.25 + 1) / 2)):
        found = Measurement([one], {"t": spec, "u": spec}, pooling, ids, 100, 0)  # type: ignore[arg-type]
        assert found.estimate(found.figures("one")["overall"]).mean == pytest.approx(figure)


def test_all_are_compared_over_the_same_draws() -> None:
    """Equal outputs have no difference, whichever examples are drawn."""
    first, second = contender("first", ACCURACIES), contender("second", ACCURACIES)
    found = measured("overall", first, second)
    for one in found.differences("second", "first").values():
        assert (one.mean, one.low, one.high, one.verdict) == (0, 0, 0, "noise")


# ── which metric ──


@pytest.mark.parametrize(
    ("kinds", "select", "metrics", "pooling"),
    [
        (["classification", "binary"], Selection(), ["accuracy", "accuracy"], "overall"),
        (["classification", "multi-label"], Selection(), ["accuracy", "micro_f1"], "none"),
        (["multi-label", "multi-label"], Selection(), ["micro_f1", "micro_f1"], "mean"),
        (["numbers", "numbers"], Selection(), ["mae", "mae"], "none"),
        (["classification", "binary"], Selection(metric="macro_f1"), ["macro_f1", "macro_f1"], "mean"),
        (["classification", "binary"], Selection(metric="two_way", over="t0"), ["accuracy", "accuracy"], "overall"),
    ],
)
def test_tasks_are_measured_as_epochs_are_chosen(
    kinds: Sequence[str], select: Selection, metrics: Sequence[str], pooling: str
) -> None:
    tasks = []
    for place, kind in enumerate(kinds):
        task = OneTask(*KINDS[kind]).task
        declared = task.declared.model_copy(update={"name": f"t{place}"})
        tasks.append(LearnedTask(declared, task.space, task.counts, task.kind))
    found, together = measured_by(select, tasks)
    assert [spec.key() for spec in found.values()] == metrics
    assert together == pooling
