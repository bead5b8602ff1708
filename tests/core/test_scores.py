import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score
from toy import Toy, toy_config

from mtl_core.artifacts.json_files import dump_json
from mtl_core.cli.score_table import print_scores
from mtl_core.config.tasks import NamedTask
from mtl_core.config.training import Selection
from mtl_core.data.batches import Batch
from mtl_core.data.fitted_task import FittedTask, fit_task
from mtl_core.data.label_space import is_valid_label
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.task_groups import group_tasks
from mtl_core.errors import MtlError
from mtl_core.evaluation.inference import BatchOutputs
from mtl_core.evaluation.score_pooling import pool_scores
from mtl_core.evaluation.scorer import Scorer
from mtl_core.evaluation.scores import MetricValue, Scores, TaskScore
from mtl_core.evaluation.selection import (
    compute_selection_score,
    flatten_scores,
    is_higher_better,
    resolve_selection,
)
from mtl_core.nn.heads import HeadOutput
from mtl_core.runs.result_files import build_scores_report
from mtl_core.runs.run import run_experiment

CLASSES = ["bad", "fair", "good", "best"]
RESTRICTED = {"type": "restricted-accuracy", "name": "two_way", "classes": ["good", "bad"]}
METRICS = ["accuracy", "macro-f1", "confusion", RESTRICTED]

Column = Sequence[str | None]


def fit_classification_task(
    name: str, training: Column = (), metrics: Sequence[Any] = METRICS, **kind: Any
) -> FittedTask:
    block = {
        "name": name,
        "kind": {"type": "classification", "classes": CLASSES, "metrics": list(metrics), **kind},
        "head": "linear",
        "mask": "exclude-labels",
    }
    declared = NamedTask.model_validate(block)
    excluded = declared.mask.list_excluded_labels()
    known = [label for label in training if label is not None and is_valid_label(label, excluded)]
    return fit_task(declared, LabelStatistics(known, known, excluded))


def compute_scores(
    outputs: dict[str, torch.Tensor], gold: dict[str, Column], tasks: Sequence[FittedTask] = ()
) -> Scores:
    """Score the outputs in two batches: metrics must not depend on the batches."""
    groups = group_tasks(tasks or [fit_classification_task(name) for name in gold])
    outputs_by_group = [torch.stack([outputs[task.name] for task in group.tasks], dim=1) for group in groups]
    targets = [
        torch.stack([torch.from_numpy(t.space.encode(gold[t.name], [""] * len(gold[t.name]))) for t in group.tasks], 1)
        for group in groups
    ]
    scorer = Scorer(groups)
    for rows in np.array_split(np.arange(len(outputs_by_group[0])), 2):
        batch = Batch(None, [table[rows] for table in targets], [None] * len(groups))
        scorer.update(BatchOutputs(rows, batch, [HeadOutput(table[rows]) for table in outputs_by_group]))
    return scorer.compute()


columns = st.lists(st.sampled_from([None, "absent", *CLASSES, *CLASSES]), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(column=columns, seed=st.integers(0, 2**31))
def test_metrics_equal_scikit_learn_over_valid_labels(column: Column, seed: int) -> None:
    outputs = torch.randn(len(column), 4, generator=torch.Generator().manual_seed(seed))
    result = compute_scores({"t": outputs}, {"t": column}).tasks["t"]
    rows = [row for row, label in enumerate(column) if label not in (None, "absent")]
    gold, predicted = [CLASSES.index(str(column[row])) for row in rows], outputs[rows].argmax(dim=1).tolist()
    assert result.n == len(rows)
    if not rows:
        assert {metric.value for metric in result.metrics.values()} == {None}
        assert {metric.n for metric in result.metrics.values()} == {0}
        return
    assert result.metrics["accuracy"].value == pytest.approx(accuracy_score(gold, predicted))
    assert result.metrics["macro_f1"].value == pytest.approx(f1_score(gold, predicted, average="macro"), abs=1e-6)
    assert result.metrics["confusion"].value == confusion_matrix(gold, predicted, labels=range(4)).tolist()

    restricted_rows = [row for row in rows if column[row] in ("good", "bad")]
    restricted_labels = ["bad" if outputs[row, 0] > outputs[row, 2] else "good" for row in restricted_rows]
    two_way = result.metrics["two_way"]
    assert two_way.n == len(restricted_rows)
    if restricted_rows:
        is_correct = [
            column[row] == predicted_label
            for row, predicted_label in zip(restricted_rows, restricted_labels, strict=True)
        ]
        assert two_way.value == pytest.approx(np.mean(is_correct))
    else:
        assert two_way.value is None


def test_restricted_accuracy_formula() -> None:
    outputs = torch.tensor([[1.0, 9, 2, 9], [3, 9, 2, 9], [0, 9, 8, 0], [0, 9, 0, 0], [5, 0, 6, 0]])
    gold = ["good", "good", "good", "fair", "bad"]  # restricted: good, bad, good, (left out), good
    metric = compute_scores({"t": outputs}, {"t": gold}).tasks["t"].metrics["two_way"]
    assert (metric.value, metric.n) == (0.5, 4)


def test_unknown_class_of_a_restricted_metric_is_reported() -> None:
    with pytest.raises(MtlError, match="task 't': metric 'two_way': 'bda' is not a class; did you mean 'bad'"):
        fit_classification_task("t", metrics=[{**RESTRICTED, "classes": ["good", "bda"]}])


def test_the_baseline_is_the_most_frequent_class_of_the_training_labels() -> None:
    training = ["absent"] * 9 + ["fair"] * 4 + ["good"] * 3 + ["bad"] * 2 + [None] * 9
    gold = ["good", "good", "fair", "bad", "best", "absent", None]
    result = compute_scores({"t": torch.zeros(7, 4)}, {"t": gold}, [fit_classification_task("t", training)]).tasks["t"]
    assert result.metrics["accuracy"].baseline == pytest.approx(1 / 5)
    assert result.metrics["macro_f1"].baseline == pytest.approx((2 * 1 / (2 * 1 + 4)) / 4)
    confusion = np.zeros((4, 4), dtype=int)
    confusion[:, 1] = [1, 1, 2, 1]
    assert result.metrics["confusion"].baseline == confusion.tolist()


def test_restricted_baseline_is_the_most_frequent_of_its_classes() -> None:
    training = ["fair"] * 9 + ["bad"] * 2 + ["good"] * 3
    gold = ["good", "good", "bad", "fair"]
    for names in (["good", "bad"], ["bad", "good"]):
        metric = {**RESTRICTED, "classes": names}
        result = compute_scores(
            {"t": torch.zeros(4, 4)}, {"t": gold}, [fit_classification_task("t", training, [metric])]
        ).tasks["t"]
        assert result.metrics["two_way"].baseline == pytest.approx(2 / 3)


def test_on_a_tie_the_baseline_is_the_first_class() -> None:
    tied_task = fit_classification_task("t", ["best", "fair", "best", "fair", "good"])
    assert (
        compute_scores({"t": torch.zeros(2, 4)}, {"t": ["fair", "fair"]}, [tied_task])
        .tasks["t"]
        .metrics["accuracy"]
        .baseline
        == 1
    )


def test_without_training_labels_there_is_no_baseline() -> None:
    figures = (
        compute_scores({"t": torch.eye(4)}, {"t": CLASSES}, [fit_classification_task("t", ["absent"])])
        .tasks["t"]
        .metrics
    )
    assert figures["accuracy"].value == 1
    assert figures["accuracy"].baseline is None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), silent=st.booleans())
def test_overall_counts_every_label_once_and_skips_undefined_tasks(seed: int, silent: bool) -> None:
    random = np.random.default_rng(seed)
    gold: dict[str, Column] = {
        name: [None if value > 3 else CLASSES[value] for value in random.integers(0, 4 + missing, 20)]
        for name, missing in (("a", 0), ("b", 3), ("c", 9))
    }
    if silent:
        gold["silent"] = [None, "absent"] * 10
    outputs = {name: torch.from_numpy(random.normal(size=(20, 4))) for name in gold}
    training = {name: [CLASSES[value] for value in random.integers(0, 4, 9)] for name in gold}
    result = compute_scores(outputs, gold, [fit_classification_task(name, training[name]) for name in gold])
    predicted = {name: values.argmax(dim=1).tolist() for name, values in outputs.items()}
    pairs = [
        (CLASSES.index(label), predicted[name][row])
        for name, column in gold.items()
        for row, label in enumerate(column)
        if label in CLASSES
    ]
    assert result.overall.n == result.overall.metrics["accuracy"].n == len(pairs)
    assert result.overall.metrics["accuracy"].value == pytest.approx(np.mean([one == two for one, two in pairs]))
    assert set(result.overall.metrics) == {"accuracy", "two_way"}  # the other metrics cannot be pooled
    baselines = [(score.metrics["accuracy"].baseline, score.n) for score in result.tasks.values() if score.n]
    expected = sum(float(value) * n for value, n in baselines if isinstance(value, float)) / len(pairs)
    assert result.overall.metrics["accuracy"].baseline == pytest.approx(expected)


def test_pooling_formula() -> None:
    def build_score(value: float | None, n: int, baseline: float | None) -> TaskScore:
        return TaskScore(n, {"accuracy": MetricValue(value, n, baseline, pooled=True)})

    pooled_metric = pool_scores(
        [build_score(1.0, 1, 0.0), build_score(0.5, 3, 1.0), build_score(None, 0, None)]
    ).metrics["accuracy"]
    assert (pooled_metric.value, pooled_metric.n, pooled_metric.baseline) == (0.625, 4, 0.75)
    undefined = pool_scores([build_score(None, 0, None)]).metrics["accuracy"]
    assert (undefined.value, undefined.n) == (None, 0)


def test_undefined_metrics_are_null_and_printed_as_undefined() -> None:
    gold: dict[str, Column] = {"a": ["good", "fair"], "b": [None, "absent"], "c": ["fair", "best"]}
    result = compute_scores({name: torch.eye(4)[:2] for name in gold}, gold)
    report = json.loads(dump_json(build_scores_report(result)))
    assert report["tasks"]["b"] == {
        "n": 0, "correct": 0, "accuracy": None, "majority_accuracy": None, "macro_f1": None,
        "baseline_macro_f1": None, "confusion": None, "two_way": None, "majority_two_way": None,
    }  # fmt: skip
    assert report["tasks"]["c"]["two_way"] is None
    assert report["tasks"]["c"]["two_way_n"] == 0
    assert report["overall"]["n"] == 4
    assert report["overall"]["two_way_n"] == 1

    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_scores(console, result, "title")
    lines = {line.split()[0]: line for line in console.export_text().splitlines() if line.strip()}
    assert lines["b"].count("undefined (n=0)") == 4
    assert lines["c"].count("undefined (n=0)") == 1
    assert "nan" not in "".join(lines.values())


def test_run_writes_null_for_a_task_without_test_labels(tmp_path: Path) -> None:
    def list_unlabelled_tasks(seed: int) -> list[str]:
        corpus = Toy(test_rows=4, labelled=0.3, seed=seed).load()
        return [name for name, column in corpus.labels.items() if not {*column[-4:]} - {None, "absent"}]

    seed = next(seed for seed in range(100) if list_unlabelled_tasks(seed) == ["t1"])
    data = {"type": "toy", "test_rows": 4, "labelled": 0.3, "seed": seed}
    run_experiment(toy_config(tmp_path, data=data), tmp_path / "run")
    test = json.loads((tmp_path / "run" / "metrics.json").read_text())["splits"]["test"]
    assert test["tasks"]["t1"]["n"] == 0
    assert test["tasks"]["t1"]["accuracy"] is None
    known = [test["tasks"][name] for name in ("t0", "t2")]
    assert test["overall"]["n"] == sum(task["n"] for task in known)
    assert test["overall"]["accuracy"] == pytest.approx(sum(task["correct"] for task in known) / test["overall"]["n"])


def test_selection_uses_the_configured_metric_and_skips_undefined_scores() -> None:
    gold: dict[str, Column] = {"a": ["good", "fair", "fair"], "b": ["bad", None, None], "c": [None, None, None]}
    outputs = {"a": torch.eye(4)[[2, 0, 0]], "b": torch.eye(4)[[0, 0, 0]], "c": torch.eye(4)[[0, 0, 0]]}
    result = compute_scores(outputs, gold)
    assert compute_selection_score(Selection(metric="accuracy", aggregation="overall"), result) == pytest.approx(2 / 4)
    assert compute_selection_score(Selection(metric="accuracy", aggregation="mean"), result) == pytest.approx(
        (1 / 3 + 1) / 2
    )
    assert compute_selection_score(Selection(metric="accuracy", aggregation="a"), result) == pytest.approx(1 / 3)
    assert compute_selection_score(Selection(metric="accuracy", aggregation="c"), result) is None
    flat = flatten_scores(result)
    assert flat["b.accuracy"] == 1
    assert flat["c.macro_f1"] is None
    assert not any("confusion" in name for name in flat)


def test_selection_is_validated_before_training() -> None:
    tasks = [fit_classification_task("food"), fit_classification_task("price", metrics=["accuracy"])]
    assert resolve_selection(Selection(), tasks) == Selection(metric="accuracy", aggregation="overall")
    assert resolve_selection(Selection(aggregation="mean"), tasks) == Selection(metric="accuracy", aggregation="mean")
    assert resolve_selection(Selection(aggregation="food"), tasks) == Selection(metric="accuracy", aggregation="food")
    assert resolve_selection(Selection(metric="macro_f1"), tasks[:1]) == Selection(
        metric="macro_f1", aggregation="mean"
    )
    task_selection = Selection(metric="macro_f1", aggregation="food")
    assert resolve_selection(task_selection, tasks) == task_selection
    assert is_higher_better(task_selection, tasks)
    assert is_higher_better(resolve_selection(Selection(), tasks), tasks)
    for selection, message in (
        (Selection(aggregation="fod"), "unknown 'fod'; did you mean 'food'"),
        (Selection(metric="acuracy"), "task 'food' has no metric 'acuracy'; did you mean 'accuracy'"),
        (Selection(metric="macro_f1", aggregation="mean"), "task 'price' has no metric 'macro_f1'"),
        (Selection(metric="macro_f1", aggregation="overall"), "'macro_f1' cannot be pooled over tasks"),
    ):
        with pytest.raises(MtlError, match=message):
            resolve_selection(selection, [tasks[0]] if "pooled" in message else tasks)
    with pytest.raises(MtlError, match="confusion"):
        resolve_selection(Selection(metric="confusion", aggregation="food"), tasks)
