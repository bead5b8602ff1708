"""Scores of resampled examples, differences, and Delta_m over all tasks, against hand-computed values."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from one_task import OneTask

from mtl_core.config.training import Selection
from mtl_core.data.fitted_task import FittedTask
from mtl_core.experiments.compare.bootstrap import draw_examples
from mtl_core.experiments.compare.paired_bootstrap import Aggregation, PairedBootstrap, VariantOutputs
from mtl_core.experiments.compare.run_outputs import LabelledOutputs
from mtl_core.experiments.compare.seed_scores import SeedScores
from mtl_core.experiments.compare.variant_scores import resolve_metrics
from mtl_core.plugins.specs import MetricSpec
from mtl_core.runs.saved_outputs import TaskOutputs

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
def test_scores_from_label_sums_equal_torchmetrics(kind: str, metric: str) -> None:
    """Both resampling methods agree: one matrix product, and the metric on the drawn labels."""
    examples = [f"e{number}" for number in range(12)]
    index_by_id = {example_id: index for index, example_id in enumerate(examples)}
    for seed in range(3):
        labelled_outputs = draw_outputs(kind, 25, 12, seed)
        spec = find_metric(labelled_outputs.task, metric)
        scores = SeedScores(spec, [labelled_outputs], index_by_id)
        example_counts = np.concatenate(list(draw_examples(12, 20, seed)))
        fast_scores = scores.score_resamples(example_counts)
        scores._sums = None
        assert fast_scores == pytest.approx(scores.score_resamples(example_counts), abs=1e-6, nan_ok=True)
        assert scores.count_labels(example_counts).tolist() == [
            sum(int(counts[index_by_id[example_id]]) for example_id in _find_scored_ids(spec, labelled_outputs))
            for counts in example_counts
        ]


def _find_scored_ids(spec: MetricSpec, labelled_outputs: LabelledOutputs) -> list[str]:
    rows = spec.select_rows(labelled_outputs.task.space, labelled_outputs.outputs.targets).numpy()
    return [str(example_id) for example_id in labelled_outputs.ids[rows]]


def test_metrics_made_of_sums_use_the_matrix_product() -> None:
    fast_metrics = {metric for kind, metric in PAIRS if _is_fast(kind, metric)}
    assert fast_metrics == {
        "accuracy",
        "macro_f1",
        "two_way",
        "rank_distance",
        "micro_f1",
        "exact_match",
        "mae",
        "rmse",
    }


def _is_fast(kind: str, metric: str) -> bool:
    labelled_outputs = draw_outputs(kind, 5, 5, 0)
    index_by_id = {example_id: index for index, example_id in enumerate(dict.fromkeys(labelled_outputs.ids.tolist()))}
    return SeedScores(find_metric(labelled_outputs.task, metric), [labelled_outputs], index_by_id)._sums is not None


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), cut=st.integers(1, 19))
def test_folds_are_concatenated_before_scoring(seed: int, cut: int) -> None:
    all_outputs = draw_outputs("classification", 20, 20, seed)
    fold_outputs = [_select_rows(all_outputs, slice(0, cut)), _select_rows(all_outputs, slice(cut, None))]
    index_by_id = {f"e{number}": number for number in range(20)}
    for metric in ("accuracy", "macro_f1"):
        spec = find_metric(all_outputs.task, metric)
        assert SeedScores(spec, fold_outputs, index_by_id).score == SeedScores(spec, [all_outputs], index_by_id).score


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


def measure(pooling: Aggregation = "overall", *contenders: VariantOutputs) -> PairedBootstrap:
    spec = OneTask(KINDS["classification"][0], CLASSES).task.kind.metrics[0]
    examples = [f"e{number}" for number in range(4)]
    return PairedBootstrap(contenders, {"t": spec, "u": spec}, pooling, examples, 200, 1)


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

    measurement = PairedBootstrap(
        [build_regression_variant("single", 2.0), build_regression_variant("ours", 1.5)],
        {"t": spec},
        "none",
        ids,
        100,
        0,
    )
    assert measurement.compute_delta_m("ours", "single").mean == pytest.approx(25)
    assert measurement.compute_differences("ours", "single")["t"].mean == pytest.approx(-0.5)
    assert measurement.compute_differences("ours", "single")["t"].verdict == "improved"
    assert measurement.compute_differences("single", "ours")["t"].verdict == "degraded"


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
    scores = measurement.get_scores("ours")
    assert measurement.estimate(scores["t"]).mean == pytest.approx(0.625)
    assert measurement.estimate(scores["t"]).seeds == [0.5, 0.75]
    assert measurement.estimate(scores["overall"]).seeds == [0.375, 0.5]
    assert measurement.compute_differences("ours", "single")["t"].mean == pytest.approx(0.125)
    assert measurement.compute_differences("ours", "single")["overall"].mean == pytest.approx(0.0)
    assert set(measure("none", reference, candidate).get_scores("ours")) == {"t", "u"}


def test_overall_pools_labels_and_mean_averages_tasks() -> None:
    task = OneTask(KINDS["classification"][0], CLASSES).task
    spec, ids = task.kind.metrics[0], ["e0", "e1", "e2", "e3", "e4"]
    single_label = build_outputs(task, torch.eye(3)[[0]], torch.zeros(1, dtype=torch.int64), ids[4:])
    variant = VariantOutputs("one", "variant", [[{"t": build_class_outputs(task, 0.25), "u": single_label}]])
    for pooling, score in (("overall", 2 / 5), ("mean", (0.25 + 1) / 2)):
        measurement = PairedBootstrap([variant], {"t": spec, "u": spec}, pooling, ids, 100, 0)  # type: ignore[arg-type]
        assert measurement.estimate(measurement.get_scores("one")["overall"]).mean == pytest.approx(score)


def test_variants_are_compared_on_the_same_resamples() -> None:
    """Equal outputs have no difference, whichever examples are drawn."""
    first, second = build_variant("first", ACCURACIES), build_variant("second", ACCURACIES)
    measurement = measure("overall", first, second)
    for difference in measurement.compute_differences("second", "first").values():
        assert (difference.mean, difference.low, difference.high, difference.verdict) == (
            0,
            0,
            0,
            "not significant",
        )


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
