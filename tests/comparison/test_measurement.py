"""Scores, the influences of examples, differences, and Delta_m over all tasks, against hand-computed values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from one_task import OneTask
from scipy.stats import t

from mtl_core.builtins.metrics.accuracy import Accuracy
from mtl_core.builtins.metrics.ranking import RocAuc
from mtl_core.config.training import Selection
from mtl_core.data.fitted_task import FittedTask
from mtl_core.experiments.compare.compared_scores import Aggregation, ComparedScores, ScoreDifference, VariantOutputs
from mtl_core.experiments.compare.example_columns import ExampleColumns, assign_groups
from mtl_core.experiments.compare.run_outputs import LabelledOutputs
from mtl_core.experiments.compare.seed_scores import SeedScorer
from mtl_core.experiments.compare.swapped_scores import SwappedScores
from mtl_core.experiments.compare.variant_scores import resolve_metrics
from mtl_core.plugins.specs import MetricSpec
from mtl_core.runs.saved_outputs import TaskOutputs
from mtl_core.statistics.verdicts import TestedDifference, Verdict, decide_family

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


def build_outputs(
    task: FittedTask, outputs: torch.Tensor, targets: torch.Tensor, ids: Sequence[str]
) -> LabelledOutputs:
    return LabelledOutputs(task, TaskOutputs(outputs, targets, torch.arange(len(targets))), np.array(ids))


def draw_outputs(kind: str, labels: int, examples: int, seed: int) -> LabelledOutputs:
    """Draw random outputs for labels of some examples; an example may have several labels."""
    block, training = KINDS[kind]
    task = OneTask(block, training).task
    random = np.random.default_rng(seed)
    gold = [training[code] for code in random.integers(len(training), size=labels)]
    if kind == "lists of numbers":
        gold = [[None if random.random() < 0.2 else one for one in label] for label in gold]
        gold = [label if any(one is not None for one in label) else training[0] for label in gold]
    targets = torch.from_numpy(task.space.encode(gold, [""] * labels))
    outputs = torch.from_numpy(random.normal(size=(labels, task.kind.n_outputs)).astype(np.float32))
    return build_outputs(task, outputs, targets, sorted(f"e{one}" for one in random.integers(examples, size=labels)))


def find_metric(task: FittedTask, key: str) -> MetricSpec:
    return next(metric for metric in task.kind.metrics if metric.key() == key)


PAIRS = [
    (kind, metric)
    for kind, (block, training) in KINDS.items()
    for metric in [spec.key() for spec in OneTask(block, training).task.kind.metrics if spec.scalar]
]


@pytest.mark.parametrize(("kind", "metric"), PAIRS)
def test_influences_from_label_sums_equal_those_of_the_metric(
    kind: str, metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both methods agree: sums without an example, and the metric itself on all other examples."""
    column_by_id = {f"e{number}": number for number in range(12)}
    for seed in range(3):
        labelled_outputs = draw_outputs(kind, 25, 12, seed)
        spec = find_metric(labelled_outputs.task, metric)
        from_sums = SeedScorer(spec, ExampleColumns(list(column_by_id))).score([labelled_outputs])
        with monkeypatch.context() as patch:
            patch.setattr(type(spec), "compute_label_sums", lambda *_: None)
            from_metric = SeedScorer(spec, ExampleColumns(list(column_by_id))).score([labelled_outputs])
        assert from_sums.score == pytest.approx(from_metric.score, abs=1e-6, nan_ok=True)
        assert from_sums.influence == pytest.approx(from_metric.influence, abs=1e-6, nan_ok=True)
        assert from_sums.n_units == from_metric.n_units == len(set(_find_scored_ids(spec, labelled_outputs)))
        assert from_sums.label_counts.tolist() == [
            _find_scored_ids(spec, labelled_outputs).count(example_id) for example_id in column_by_id
        ]


def test_subclass_with_another_metric_does_not_use_inherited_sums() -> None:
    class Half(Accuracy):
        """Returns 0.5."""

        def build(self, space: Any) -> Any:
            """Build a metric whose value is constant."""
            metric = super().build(space)
            metric.compute = lambda: torch.tensor(0.5)  # type: ignore[method-assign]
            return metric

    labelled_outputs = draw_outputs("classification", 25, 12, 0)
    score = SeedScorer(Half(), ExampleColumns([f"e{number}" for number in range(12)])).score([labelled_outputs])
    assert score.score == 0.5
    assert score.sums is None


def test_metrics_without_sums_leave_out_groups_of_examples(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variance from groups of examples is about that from single examples."""
    column_by_id = {f"e{number}": number for number in range(2000)}
    labelled_outputs = draw_outputs("numbers", 4000, 2000, 1)
    spec = find_metric(labelled_outputs.task, "mae")
    of_examples = SeedScorer(spec, ExampleColumns(list(column_by_id))).score([labelled_outputs])
    monkeypatch.setattr(type(spec), "compute_label_sums", lambda *_: None)
    of_groups = SeedScorer(spec, ExampleColumns(list(column_by_id))).score([labelled_outputs])
    assert of_groups.n_units == np.count_nonzero(of_groups.influence) == 200
    variances = [np.square(one.influence).sum() for one in (of_groups, of_examples)]
    assert variances[0] == pytest.approx(variances[1], rel=0.25)


def test_closed_forms_of_roc_auc_equal_resampling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The influence of each example, and the differences with exchanged answers, are those of the metric itself."""
    ids = [f"e{number}" for number in range(30)]
    columns = np.arange(0, 30, 2)
    masks = np.random.default_rng(0).random((10, len(columns))) < 0.5
    results = []
    for has_closed_form in (True, False):
        monkeypatch.setattr(RocAuc, "ranks_pairs", has_closed_form)
        scorer = SeedScorer(RocAuc(), ExampleColumns(ids))
        random = np.random.default_rng(1)
        task = OneTask({"type": "binary"}, ["no", "yes"]).task
        targets = torch.from_numpy(random.integers(0, 2, 30))
        variants = [
            scorer.score([build_outputs(task, torch.from_numpy(random.normal(size=(30, 1))).float(), targets, ids)])
            for _ in range(2)
        ]
        swapped = SwappedScores(scorer, variants[:1], variants[1:])
        results.append(
            (variants[0].score, variants[0].influence, swapped.compute_differences(masks.astype(np.float64), columns))
        )
    for closed, resampled in zip(*results, strict=True):
        assert closed == pytest.approx(resampled)
    assert results[0][2].std() > 0.01


def _find_scored_ids(spec: MetricSpec, labelled_outputs: LabelledOutputs) -> list[str]:
    rows = spec.select_rows(labelled_outputs.task.space, labelled_outputs.outputs.targets).numpy()
    return [str(example_id) for example_id in labelled_outputs.ids[rows]]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), cut=st.integers(1, 19))
def test_sums_of_folds_are_added_before_scoring(seed: int, cut: int) -> None:
    all_outputs = draw_outputs("classification", 20, 20, seed)
    fold_outputs = [_select_rows(all_outputs, slice(0, cut)), _select_rows(all_outputs, slice(cut, None))]
    column_by_id = {f"e{number}": number for number in range(20)}
    for metric in ("accuracy", "macro_f1"):
        spec = find_metric(all_outputs.task, metric)
        of_folds, of_all = (
            SeedScorer(spec, ExampleColumns(list(column_by_id))).score(outputs)
            for outputs in (fold_outputs, [all_outputs])
        )
        assert of_folds.score == of_all.score
        assert of_folds.influence == pytest.approx(of_all.influence, nan_ok=True)


def test_metrics_without_sums_are_averaged_over_folds() -> None:
    """Each fold is scored in itself: the second has larger labels, and predicts one more."""
    task = OneTask({"type": "regression", "standardise": False, "metrics": ["r2"]}, [0.0, 1.0]).task
    targets = torch.arange(10.0)
    ids = [f"e{number}" for number in range(20)]
    folds = [
        build_outputs(task, (targets + offset + error)[:, None], targets + offset, fold_ids)
        for offset, error, fold_ids in ((0.0, 0.0, ids[:10]), (50.0, 1.0, ids[10:]))
    ]
    score = SeedScorer(task.kind.metrics[0], ExampleColumns(list(ids))).score(folds)
    r2_of_second = 1 - 10 / 82.5
    assert score.score == pytest.approx((1 + r2_of_second) / 2, abs=1e-6)
    assert np.count_nonzero(score.influence) == 20


def _select_rows(labelled_outputs: LabelledOutputs, rows: slice) -> LabelledOutputs:
    task_outputs = labelled_outputs.outputs
    return build_outputs(
        labelled_outputs.task,
        task_outputs.outputs[rows],
        task_outputs.targets[rows],
        labelled_outputs.ids[rows].tolist(),
    )


# ── a measurement by hand ──

ACCURACIES = {"t": [0.5, 0.75], "u": [0.25, 0.25]}


def build_class_outputs(task: FittedTask, accuracy: float) -> LabelledOutputs:
    """Return outputs for four labels of class a, of which a fraction is predicted correctly."""
    outputs = torch.zeros(4, 3)
    outputs[:, 1] = 1
    outputs[: round(4 * accuracy), 0] = 2
    return build_outputs(task, outputs, torch.zeros(4, dtype=torch.int64), [f"e{number}" for number in range(4)])


def build_variant(name: str, accuracies: Mapping[str, Sequence[float]]) -> VariantOutputs:
    task = OneTask(KINDS["classification"][0], CLASSES).task
    seeds = len(next(iter(accuracies.values())))
    return VariantOutputs(
        name,
        "variant",
        [
            [{task_name: build_class_outputs(task, accuracies[task_name][seed]) for task_name in accuracies}]
            for seed in range(seeds)
        ],
    )


def measure(pooling: Aggregation = "overall", *contenders: VariantOutputs) -> ComparedScores:
    spec = OneTask(KINDS["classification"][0], CLASSES).task.kind.metrics[0]
    examples = [f"e{number}" for number in range(4)]
    return ComparedScores(contenders, {"t": spec, "u": spec}, pooling, examples, 1)


def test_delta_m_is_the_mean_over_tasks_of_relative_gains_in_percent() -> None:
    reference = build_variant("single", {"t": [0.5, 0.5], "u": [0.5, 0.25]})
    candidate = build_variant("ours", {"t": [0.75, 0.5], "u": [0.25, 0.25]})
    measurement = measure("overall", reference, candidate)
    # t: 0.625 against 0.5 is +25 %; u: 0.25 against 0.375 is -33.3 %
    assert measurement.compute_delta_m("ours", "single").mean == pytest.approx((25 - 100 / 3) / 2)
    assert measurement.compute_delta_m("single", "single").mean == 0


def test_lower_error_is_an_improvement() -> None:
    task = OneTask({"type": "regression", "standardise": False}, [0.0, 1.0]).task
    spec = task.kind.metrics[0]
    ids = ["e0", "e1"]

    def build_regression_variant(name: str, error: float) -> VariantOutputs:
        labelled_outputs = build_outputs(task, torch.full((2, 1), error), torch.zeros(2), ids)
        return VariantOutputs(name, "variant", [[{"t": labelled_outputs}]])

    measurement = ComparedScores(
        [build_regression_variant("single", 2.0), build_regression_variant("ours", 1.5)], {"t": spec}, "none", ids, 1
    )
    assert measurement.compute_delta_m("ours", "single").mean == pytest.approx(25)
    assert measurement.compute_differences("ours", "single")["t"].interval.mean == pytest.approx(-0.5)
    assert not measurement.is_higher_better("t")


def test_zero_or_undefined_reference_is_excluded_from_delta_m() -> None:
    reference = build_variant("single", {"t": [0.5], "u": [0.0]})
    candidate = build_variant("ours", {"t": [0.75], "u": [0.5]})
    measurement = measure("overall", reference, candidate)
    assert measurement.compute_delta_m("ours", "single").mean == pytest.approx(50)
    zero_reference = build_variant("single", {"t": [0.0], "u": [0.0]})
    assert measure("overall", zero_reference, candidate).compute_delta_m("ours", "single").mean is None


def test_scores_differences_and_overall_score_are_means_over_seeds() -> None:
    reference, candidate = (
        build_variant("single", {"t": [0.5, 0.5], "u": [0.5, 0.25]}),
        build_variant("ours", ACCURACIES),
    )
    measurement = measure("overall", reference, candidate)
    scores = measurement.estimate_scores("ours")
    assert scores["t"].mean == pytest.approx(0.625)
    assert scores["t"].seeds == [0.5, 0.75]
    assert scores["overall"].seeds == [0.375, 0.5]
    differences = measurement.compute_differences("ours", "single")
    assert differences["t"].interval.mean == pytest.approx(0.125)
    assert differences["t"].seeds == [0.0, 0.25]
    assert differences["overall"].interval.mean == pytest.approx(0.0)
    assert set(measure("none", reference, candidate).estimate_scores("ours")) == {"t", "u"}


def test_different_answers_count_once_per_example() -> None:
    """Task t differs on one example with the second seed, task u on one with each seed, which is another example."""
    reference = build_variant("single", {"t": [0.5, 0.5], "u": [0.25, 0.25]})
    candidate = build_variant("ours", {"t": [0.5, 0.75], "u": [0.5, 0.5]})
    differences = measure("overall", reference, candidate).compute_differences("ours", "single")
    assert {task: one.n_discordant for task, one in differences.items()} == {"t": 1, "u": 1, "overall": 2}


def test_overall_pools_labels_and_mean_averages_tasks() -> None:
    task = OneTask(KINDS["classification"][0], CLASSES).task
    spec, ids = task.kind.metrics[0], ["e0", "e1", "e2", "e3", "e4"]
    two_labels = build_outputs(task, torch.eye(3)[[0, 0]], torch.zeros(2, dtype=torch.int64), ids[3:])
    variant = VariantOutputs("one", "variant", [[{"t": build_class_outputs(task, 0.25), "u": two_labels}]])
    for pooling, score in (("overall", 3 / 6), ("mean", (0.25 + 1) / 2)):
        measurement = ComparedScores([variant], {"t": spec, "u": spec}, pooling, ids, 1)  # type: ignore[arg-type]
        assert measurement.estimate_scores("one")["overall"].mean == pytest.approx(score)


def test_influence_on_the_score_over_all_labels_is_that_of_one_ratio() -> None:
    """The overall accuracy is a ratio of sums over examples, whatever the tasks: its influence is known."""
    task = OneTask(KINDS["classification"][0], CLASSES).task
    spec = task.kind.metrics[0]
    random = np.random.default_rng(0)
    examples = [f"e{number}" for number in range(40)]
    correct, counts = np.zeros(40), np.zeros(40)
    fold = {}
    for name, n_labels in (("t", 60), ("u", 15)):
        columns = np.sort(random.integers(40, size=n_labels))
        is_correct = random.random(n_labels) < 0.7
        np.add.at(correct, columns, is_correct)
        np.add.at(counts, columns, 1)
        outputs = torch.eye(3)[torch.from_numpy(np.where(is_correct, 0, 1))]
        fold[name] = build_outputs(
            task, outputs, torch.zeros(n_labels, dtype=torch.int64), [examples[column] for column in columns]
        )
    measurement = ComparedScores(
        [VariantOutputs("one", "variant", [[fold]])], {"t": spec, "u": spec}, "overall", examples, 1
    )
    overall = measurement._scores["one"]["overall"]
    accuracy = correct.sum() / counts.sum()
    assert overall.scores == pytest.approx([accuracy])
    assert overall.influence[0] == pytest.approx((correct - accuracy * counts) / counts.sum(), abs=2e-3)
    assert overall.change == pytest.approx(1 / 75, rel=0.2)


def test_relative_gain_has_the_influence_of_a_quotient() -> None:
    """Half of every error is half of the mean error, whichever examples are drawn: only rounding of answers is left."""
    task = OneTask({"type": "regression", "standardise": False}, [0.0, 1.0]).task
    ids = [f"e{number}" for number in range(100)]
    errors = torch.from_numpy(np.random.default_rng(0).gamma(1, size=(100, 1)).astype(np.float32))

    def build_regression_variant(name: str, factor: float) -> VariantOutputs:
        return VariantOutputs(name, "variant", [[{"t": build_outputs(task, factor * errors, torch.zeros(100), ids)}]])

    variants = [build_regression_variant("single", 2.0), build_regression_variant("ours", 1.0)]
    delta_m = ComparedScores(variants, {"t": task.kind.metrics[0]}, "none", ids, 1).compute_delta_m("ours", "single")
    values = np.concatenate([factor * (errors.numpy()[:, 0] - errors.numpy().mean()) for factor in (2.0, 1.0)])
    pairs = np.abs(values[:, None] - values)
    change = pairs[pairs > 0].mean() / 100
    half_width = t.ppf(0.975, 99) * 3**0.5 * 100 * change / (2 * float(errors.mean()))
    assert delta_m.mean == pytest.approx(50, rel=1e-5)
    assert (delta_m.low, delta_m.high) == pytest.approx((50 - half_width, 50 + half_width), rel=1e-4)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "two_way"])
@pytest.mark.parametrize("n_changed", [1, 2])
@pytest.mark.parametrize("n_seeds", [2, 3, 5])
def test_one_or_two_changed_answers_of_a_thousand_decide_nothing(metric: str, n_changed: int, n_seeds: int) -> None:
    """By any metric, if the same answers change with each seed, or other answers."""
    task = OneTask(KINDS["classification"][0], CLASSES).task
    spec = find_metric(task, metric)
    random = np.random.default_rng(0)
    examples = [f"e{number}" for number in range(1000)]
    targets = torch.from_numpy(random.choice(3, size=1000, p=[0.9, 0.09, 0.01]))
    predicted = torch.where(torch.from_numpy(random.random(1000)) < 0.8, targets, 0)
    wrong = torch.nonzero(predicted != targets)[:, 0]
    for is_same_answer in (True, False):
        first: list[list[dict[str, LabelledOutputs]]] = []
        second: list[list[dict[str, LabelledOutputs]]] = []
        for seed in range(n_seeds):
            changed = predicted.clone()
            start = 0 if is_same_answer else seed
            changed[wrong[start : start + n_changed]] = targets[wrong[start : start + n_changed]]
            for variant, classes in ((first, predicted), (second, changed)):
                variant.append([{"t": build_outputs(task, torch.eye(3)[classes], targets, examples)}])
        scores = ComparedScores(
            [VariantOutputs("first", "variant", first), VariantOutputs("second", "variant", second)],
            {"t": spec},
            "none",
            examples,
            1,
        )
        difference = scores.compute_differences("second", "first")["t"]
        if is_same_answer:
            assert difference.n_discordant == (0 if metric == "two_way" else n_changed)
        assert decide(difference) in {"practically equal", "not resolved"}


def decide(difference: ScoreDifference) -> Verdict:
    """Return the verdict on a difference that is tested alone, with a margin of 0.01."""
    tested = TestedDifference(
        difference.interval.mean,
        difference.variance,
        True,
        0.01,
        difference.swap_p_value,
        difference.n_changed,
        is_conclusive=True,
    )
    return decide_family([tested])[0][0].verdict


def build_class_variant(
    name: str, tasks: Mapping[str, tuple[FittedTask, torch.Tensor, torch.Tensor, Sequence[str]]], n_seeds: int
) -> VariantOutputs:
    """Build a variant from predicted and true classes per task, the same with every seed."""
    fold = {
        task_name: build_outputs(task, torch.eye(3)[predicted], targets, ids)
        for task_name, (task, predicted, targets, ids) in tasks.items()
    }
    return VariantOutputs(name, "variant", [[fold] for _ in range(n_seeds)])


def test_a_class_with_two_labels_decides_nothing() -> None:
    """Macro F1 rises by a third with two answers, while six other answers change in both directions."""
    task = OneTask(KINDS["classification"][0], CLASSES).task
    ids = [f"e{number}" for number in range(1000)]
    targets = torch.cat([torch.zeros(600), torch.ones(398), torch.full((2,), 2)]).long()
    first, second = targets.clone(), targets.clone()
    first[998:] = 0
    first[:3], second[3:6] = 1, 1
    variants = [
        build_class_variant(name, {"t": (task, predicted, targets, ids)}, 3)
        for name, predicted in (("first", first), ("second", second))
    ]
    scores = ComparedScores(variants, {"t": find_metric(task, "macro_f1")}, "none", ids, 1)
    difference = scores.compute_differences("second", "first")["t"]
    assert difference.interval.mean == pytest.approx(1 / 3, abs=0.01)
    assert difference.swap_p_value is not None
    assert difference.swap_p_value > 0.3
    assert difference.interval.low is not None
    assert difference.interval.low < 0
    assert decide(difference) == "not resolved"


def test_a_task_with_two_labels_decides_nothing_in_a_mean_over_tasks() -> None:
    task = OneTask(KINDS["classification"][0], CLASSES).task
    random = np.random.default_rng(0)
    ids = [f"e{number}" for number in range(500)]
    targets = torch.from_numpy(random.integers(0, 3, 500))
    tasks = []
    for small in (torch.tensor([1, 0]), torch.tensor([0, 1])):
        noisy = torch.where(torch.from_numpy(random.random(500) < 0.05), (targets + 1) % 3, targets)
        tasks.append({"small": (task, small, torch.tensor([0, 1]), ids[:2]), "large": (task, noisy, targets, ids)})
    variants = [build_class_variant(name, one, 3) for name, one in zip(("first", "second"), tasks, strict=True)]
    spec = find_metric(task, "macro_f1")
    scores = ComparedScores(variants, {"small": spec, "large": spec}, "mean", ids, 1)
    difference = scores.compute_differences("second", "first")["overall"]
    assert difference.interval.mean == pytest.approx(0.5, abs=0.05)
    assert decide(difference) == "not resolved"


def test_ranked_outputs_of_two_positives_decide_nothing() -> None:
    """A metric without sums reads outputs that all differ a little; two of them carry the difference."""
    task = OneTask({"type": "regression", "standardise": False, "metrics": ["r2"]}, [0.0, 1.0]).task
    random = np.random.default_rng(0)
    targets = torch.zeros(300)
    targets[:2] = 100.0
    ids = [f"e{number}" for number in range(300)]
    variants = []
    for name, value in (("first", 0.0), ("second", 100.0)):
        outputs = torch.from_numpy(random.normal(0, 0.01, (300, 1)).astype(np.float32))
        outputs[:2] += value
        labelled = build_outputs(task, outputs, targets, ids)
        variants.append(VariantOutputs(name, "variant", [[{"t": labelled}] for _ in range(3)]))
    scores = ComparedScores(variants, {"t": task.kind.metrics[0]}, "none", ids, 1)
    difference = scores.compute_differences("second", "first")["t"]
    assert difference.interval.mean == pytest.approx(1, abs=0.02)
    assert difference.interval.low is not None
    assert difference.interval.low < 0
    assert decide(difference) == "not resolved"


def test_task_with_one_label_leaves_the_score_over_all_labels_its_interval() -> None:
    """Its own score has no interval. In a sum over labels, it is one label more."""
    task = OneTask(KINDS["classification"][0], CLASSES).task
    random = np.random.default_rng(0)
    ids = [f"e{number}" for number in range(200)]
    targets = torch.zeros(200, dtype=torch.int64)
    predicted = torch.from_numpy((random.random(200) < 0.3).astype(np.int64))
    spec = find_metric(task, "accuracy")
    large = {"large": (task, predicted, targets, ids)}
    both = {**large, "one": (task, targets[:1], targets[:1], ids[:1])}
    intervals = []
    for tasks in (large, both):
        scores = ComparedScores([build_class_variant("a", tasks, 2)], dict.fromkeys(tasks, spec), "overall", ids, 1)
        intervals.append(scores.estimate_scores("a"))
    assert intervals[1]["one"].low is None
    assert intervals[1]["overall"].low == pytest.approx(intervals[0]["overall"].low, abs=0.01)


def test_mean_over_tasks_contains_the_same_tasks_for_all_variants() -> None:
    """A variant whose score is undefined for a hard task must not gain by that."""
    task = OneTask({"type": "regression", "standardise": False, "metrics": ["r2"]}, [0.0, 1.0]).task
    ids = [f"e{number}" for number in range(6)]
    defined, undefined = torch.tensor([0.0, 1, 2, 3, 4, 6]), torch.zeros(6)

    def build(name: str, error: float) -> VariantOutputs:
        fold = {
            "easy": build_outputs(task, (defined + error)[:, None], defined, ids),
            "hard": build_outputs(task, undefined[:, None], undefined, ids),
        }
        return VariantOutputs(name, "variant", [[fold]])

    spec = task.kind.metrics[0]
    scores = ComparedScores([build("a", 0.0), build("b", 1.0)], {"easy": spec, "hard": spec}, "mean", ids, 1)
    assert scores.averaged_tasks == ["easy"]
    assert scores.estimate_scores("a")["overall"].mean == pytest.approx(1)


def test_order_of_examples_does_not_change_groups() -> None:
    """Metrics without sums leave out groups of examples; neighbours in a file are often alike."""
    ids = [f"e{number}" for number in range(1000)]
    groups, reverse = (assign_groups(order) for order in (ids, ids[::-1]))
    for group in set(groups.tolist()):
        members = {ids[column] for column in np.flatnonzero(groups == group)}
        other = reverse[999 - np.flatnonzero(groups == group)[0]]
        assert members == {ids[::-1][column] for column in np.flatnonzero(reverse == other)}
    assert 150 < len(set(groups.tolist())) <= 200
    assert np.abs(np.diff(groups)).mean() > 50


def test_equal_outputs_have_no_difference() -> None:
    first, second = build_variant("first", ACCURACIES), build_variant("second", ACCURACIES)
    for difference in measure("overall", first, second).compute_differences("second", "first").values():
        assert (difference.interval.mean, difference.n_discordant) == (0, 0)
        assert difference.variance is not None
        assert difference.variance.example_variance == 0


# ── which metric ──


@pytest.mark.parametrize(
    ("kinds", "select", "metrics", "pooling"),
    [
        (["classification", "binary"], Selection(), ["accuracy", "accuracy"], "overall"),
        (["classification", "multi-label"], Selection(), ["accuracy", "micro_f1"], "none"),
        (["multi-label", "multi-label"], Selection(), ["micro_f1", "micro_f1"], "mean"),
        (["numbers", "numbers"], Selection(), ["mae", "mae"], "none"),
        (["classification", "binary"], Selection(metric="macro_f1"), ["macro_f1", "macro_f1"], "mean"),
        (
            ["classification", "binary"],
            Selection(metric="two_way", aggregation="t0"),
            ["accuracy", "accuracy"],
            "overall",
        ),
    ],
)
def test_tasks_are_measured_by_the_selection_metric(
    kinds: Sequence[str], select: Selection, metrics: Sequence[str], pooling: str
) -> None:
    tasks = []
    for index, kind in enumerate(kinds):
        task = OneTask(*KINDS[kind]).task
        declared = task.config.model_copy(update={"name": f"t{index}"})
        tasks.append(FittedTask(declared, task.space, task.class_counts, task.kind))
    metric_specs, actual_pooling = resolve_metrics(select, tasks)
    assert [spec.key() for spec in metric_specs.values()] == metrics
    assert actual_pooling == pooling
