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

from mtl_core.config.experiment import NamedTask, Selection
from mtl_core.data.label_space import FoundLabels, data_label
from mtl_core.errors import MtlError
from mtl_core.evaluation.outputs import BatchOutputs
from mtl_core.evaluation.scores import Figure, Scorer, Scores, TaskScore, pool
from mtl_core.evaluation.selection import (
    flat_figures,
    higher_is_better,
    resolve_selection,
    selection_score,
)
from mtl_core.evaluation.table import score_table
from mtl_core.model.heads import HeadOutput
from mtl_core.runs.results import json_text, scores_report
from mtl_core.runs.run import run_experiment
from mtl_core.training.batches import Batch
from mtl_core.training.groups import LearnedTask, group_tasks, learn_task

CLASSES = ["bad", "fair", "good", "best"]
RESTRICTED = {"type": "restricted-accuracy", "name": "two_way", "classes": ["good", "bad"]}
METRICS = ["accuracy", "macro-f1", "confusion", RESTRICTED]

Column = Sequence[str | None]


def task(name: str, training: Column = (), metrics: Sequence[Any] = METRICS, **kind: Any) -> LearnedTask:
    block = {
        "name": name,
        "kind": {"type": "classification", "classes": CLASSES, "metrics": list(metrics), **kind},
        "head": "linear",
        "mask": "exclude-labels",
    }
    declared = NamedTask.model_validate(block)
    excluded = declared.mask.excluded()
    known = [label for label in training if label is not None and data_label(label, excluded)]
    return learn_task(declared, FoundLabels(known, known, excluded))


def scored(outputs: dict[str, torch.Tensor], gold: dict[str, Column], tasks: Sequence[LearnedTask] = ()) -> Scores:
    """Score the outputs in two batches: metrics must not depend on the batches."""
    groups = group_tasks(tasks or [task(name) for name in gold])
    said = [torch.stack([outputs[task.name] for task in group.tasks], dim=1) for group in groups]
    targets = [
        torch.stack(
            [torch.from_numpy(t.space.encode(gold[t.name], [""] * len(gold[t.name]))) for t in group.tasks], 1
        )
        for group in groups
    ]
    scorer = Scorer(groups)
    for rows in np.array_split(np.arange(len(said[0])), 2):
        batch = Batch(None, [table[rows] for table in targets], [None] * len(groups))
        scorer.update(BatchOutputs(rows, batch, [HeadOutput(table[rows]) for table in said]))
    return scorer.scores()


columns = st.lists(st.sampled_from([None, "absent", *CLASSES, *CLASSES]), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(column=columns, seed=st.integers(0, 2**31))
def test_figures_are_those_of_scikit_learn_over_the_labels_that_are_there(column: Column, seed: int) -> None:
    outputs = torch.randn(len(column), 4, generator=torch.Generator().manual_seed(seed))
    result = scored({"t": outputs}, {"t": column}).tasks["t"]
    rows = [row for row, label in enumerate(column) if label not in (None, "absent")]
    gold, said = [CLASSES.index(str(column[row])) for row in rows], outputs[rows].argmax(dim=1).tolist()
    assert result.n == len(rows)
    if not rows:
        assert {figure.value for figure in result.figures.values()} == {None}
        assert {figure.n for figure in result.figures.values()} == {0}
        return
    assert result.figures["accuracy"].value == pytest.approx(accuracy_score(gold, said))
    assert result.figures["macro_f1"].value == pytest.approx(f1_score(gold, said, average="macro"), abs=1e-6)
    assert result.figures["confusion"].value == confusion_matrix(gold, said, labels=range(4)).tolist()

    asked = [row for row in rows if column[row] in ("good", "bad")]
    best = ["bad" if outputs[row, 0] > outputs[row, 2] else "good" for row in asked]
    two_way = result.figures["two_way"]
    assert two_way.n == len(asked)
    if asked:
        right = [column[row] == guess for row, guess in zip(asked, best, strict=True)]
        assert two_way.value == pytest.approx(np.mean(right))
    else:
        assert two_way.value is None


def test_restricted_accuracy_by_hand() -> None:
    outputs = torch.tensor([[1.0, 9, 2, 9], [3, 9, 2, 9], [0, 9, 8, 0], [0, 9, 0, 0], [5, 0, 6, 0]])
    gold = ["good", "good", "good", "fair", "bad"]  # restricted: good, bad, good, (left out), good
    figure = scored({"t": outputs}, {"t": gold}).tasks["t"].figures["two_way"]
    assert (figure.value, figure.n) == (0.5, 4)


def test_a_restricted_metric_names_a_class_that_is_not_there() -> None:
    with pytest.raises(MtlError, match="task 't': metric 'two_way': 'bda' is not a class; did you mean 'bad'"):
        task("t", metrics=[{**RESTRICTED, "classes": ["good", "bda"]}])


def test_the_baseline_is_the_most_frequent_class_of_the_training_labels() -> None:
    training = ["absent"] * 9 + ["fair"] * 4 + ["good"] * 3 + ["bad"] * 2 + [None] * 9
    gold = ["good", "good", "fair", "bad", "best", "absent", None]
    result = scored({"t": torch.zeros(7, 4)}, {"t": gold}, [task("t", training)]).tasks["t"]
    assert result.figures["accuracy"].baseline == pytest.approx(1 / 5)
    assert result.figures["macro_f1"].baseline == pytest.approx((2 * 1 / (2 * 1 + 4)) / 4)
    confusion = np.zeros((4, 4), dtype=int)
    confusion[:, 1] = [1, 1, 2, 1]
    assert result.figures["confusion"].baseline == confusion.tolist()


def test_among_some_classes_the_baseline_is_the_most_frequent_one_of_those() -> None:
    training = ["fair"] * 9 + ["bad"] * 2 + ["good"] * 3
    gold = ["good", "good", "bad", "fair"]
    for names in (["good", "bad"], ["bad", "good"]):
        metric = {**RESTRICTED, "classes": names}
        result = scored({"t": torch.zeros(4, 4)}, {"t": gold}, [task("t", training, [metric])]).tasks["t"]
        assert result.figures["two_way"].baseline == pytest.approx(2 / 3)


def test_on_a_tie_the_baseline_is_the_first_class() -> None:
    tied = task("t", ["best", "fair", "best", "fair", "good"])
    assert (
        scored({"t": torch.zeros(2, 4)}, {"t": ["fair", "fair"]}, [tied]).tasks["t"].figures["accuracy"].baseline
        == 1
    )


def test_without_training_labels_there_is_no_baseline() -> None:
    figures = scored({"t": torch.eye(4)}, {"t": CLASSES}, [task("t", ["absent"])]).tasks["t"].figures
    assert figures["accuracy"].value == 1
    assert figures["accuracy"].baseline is None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**31), silent=st.booleans())
def test_overall_counts_every_label_once_and_leaves_undefined_tasks_out(seed: int, silent: bool) -> None:
    random = np.random.default_rng(seed)
    gold: dict[str, Column] = {
        name: [None if value > 3 else CLASSES[value] for value in random.integers(0, 4 + missing, 20)]
        for name, missing in (("a", 0), ("b", 3), ("c", 9))
    }
    if silent:
        gold["silent"] = [None, "absent"] * 10
    outputs = {name: torch.from_numpy(random.normal(size=(20, 4))) for name in gold}
    training = {name: [CLASSES[value] for value in random.integers(0, 4, 9)] for name in gold}
    result = scored(outputs, gold, [task(name, training[name]) for name in gold])
    said = {name: values.argmax(dim=1).tolist() for name, values in outputs.items()}
    pairs = [
        (CLASSES.index(label), said[name][row])
        for name, column in gold.items()
        for row, label in enumerate(column)
        if label in CLASSES
    ]
    assert result.overall.n == result.overall.figures["accuracy"].n == len(pairs)
    assert result.overall.figures["accuracy"].value == pytest.approx(np.mean([one == two for one, two in pairs]))
    assert set(result.overall.figures) == {"accuracy", "two_way"}  # the other metrics cannot be pooled
    baselines = [(score.figures["accuracy"].baseline, score.n) for score in result.tasks.values() if score.n]
    expected = sum(float(value) * n for value, n in baselines if isinstance(value, float)) / len(pairs)
    assert result.overall.figures["accuracy"].baseline == pytest.approx(expected)


def test_pooling_by_hand() -> None:
    def one(value: float | None, n: int, baseline: float | None) -> TaskScore:
        return TaskScore(n, {"accuracy": Figure(value, n, baseline, pooled=True)})

    figure = pool([one(1.0, 1, 0.0), one(0.5, 3, 1.0), one(None, 0, None)]).figures["accuracy"]
    assert (figure.value, figure.n, figure.baseline) == (0.625, 4, 0.75)
    nothing = pool([one(None, 0, None)]).figures["accuracy"]
    assert (nothing.value, nothing.n) == (None, 0)


def test_what_is_undefined_is_null_and_called_undefined() -> None:
    gold: dict[str, Column] = {"a": ["good", "fair"], "b": [None, "absent"], "c": ["fair", "best"]}
    result = scored({name: torch.eye(4)[:2] for name in gold}, gold)
    report = json.loads(json_text(scores_report(result)))
    assert report["tasks"]["b"] == {
        "n": 0, "correct": 0, "accuracy": None, "majority_accuracy": None, "macro_f1": None,
        "baseline_macro_f1": None, "confusion": None, "two_way": None, "majority_two_way": None,
    }  # fmt: skip
    assert report["tasks"]["c"]["two_way"] is None
    assert report["tasks"]["c"]["two_way_n"] == 0
    assert report["overall"]["n"] == 4
    assert report["overall"]["two_way_n"] == 1

    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    console.print(score_table(result, "title"))
    lines = {line.split()[0]: line for line in console.export_text().splitlines() if line.strip()}
    assert lines["b"].count("undefined (n=0)") == 4
    assert lines["c"].count("undefined (n=0)") == 1
    assert "nan" not in "".join(lines.values())


def test_a_run_writes_null_for_a_task_that_has_no_test_label(tmp_path: Path) -> None:
    def silent(seed: int) -> list[str]:
        corpus = Toy(test_rows=4, labelled=0.3, seed=seed).load()
        return [name for name, column in corpus.labels.items() if not {*column[-4:]} - {None, "absent"}]

    seed = next(seed for seed in range(100) if silent(seed) == ["t1"])
    data = {"type": "toy", "test_rows": 4, "labelled": 0.3, "seed": seed}
    run_experiment(toy_config(tmp_path, data=data), tmp_path / "run")
    test = json.loads((tmp_path / "run" / "metrics.json").read_text())["splits"]["test"]
    assert test["tasks"]["t1"]["n"] == 0
    assert test["tasks"]["t1"]["accuracy"] is None
    known = [test["tasks"][name] for name in ("t0", "t2")]
    assert test["overall"]["n"] == sum(task["n"] for task in known)
    assert test["overall"]["accuracy"] == pytest.approx(
        sum(task["correct"] for task in known) / test["overall"]["n"]
    )


def test_selection_reads_the_asked_figure_and_passes_over_what_is_undefined() -> None:
    gold: dict[str, Column] = {"a": ["good", "fair", "fair"], "b": ["bad", None, None], "c": [None, None, None]}
    outputs = {"a": torch.eye(4)[[2, 0, 0]], "b": torch.eye(4)[[0, 0, 0]], "c": torch.eye(4)[[0, 0, 0]]}
    result = scored(outputs, gold)
    assert selection_score(Selection(metric="accuracy", over="overall"), result) == pytest.approx(2 / 4)
    assert selection_score(Selection(metric="accuracy", over="mean"), result) == pytest.approx((1 / 3 + 1) / 2)
    assert selection_score(Selection(metric="accuracy", over="a"), result) == pytest.approx(1 / 3)
    assert selection_score(Selection(metric="accuracy", over="c"), result) is None
    flat = flat_figures(result)
    assert flat["b.accuracy"] == 1
    assert flat["c.macro_f1"] is None
    assert not any("confusion" in name for name in flat)


def test_selection_is_checked_before_hours_are_spent() -> None:
    tasks = [task("food"), task("price", metrics=["accuracy"])]
    assert resolve_selection(Selection(), tasks) == Selection(metric="accuracy", over="overall")
    assert resolve_selection(Selection(over="mean"), tasks) == Selection(metric="accuracy", over="mean")
    assert resolve_selection(Selection(over="food"), tasks) == Selection(metric="accuracy", over="food")
    assert resolve_selection(Selection(metric="macro_f1"), tasks[:1]) == Selection(metric="macro_f1", over="mean")
    named = Selection(metric="macro_f1", over="food")
    assert resolve_selection(named, tasks) == named
    assert higher_is_better(named, tasks)
    assert higher_is_better(resolve_selection(Selection(), tasks), tasks)
    for selection, message in (
        (Selection(over="fod"), "unknown 'fod'; did you mean 'food'"),
        (Selection(metric="acuracy"), "task 'food' has no metric 'acuracy'; did you mean 'accuracy'"),
        (Selection(metric="macro_f1", over="mean"), "task 'price' has no metric 'macro_f1'"),
        (Selection(metric="macro_f1", over="overall"), "'macro_f1' cannot be pooled over tasks"),
    ):
        with pytest.raises(MtlError, match=message):
            resolve_selection(selection, [tasks[0]] if "pooled" in message else tasks)
    with pytest.raises(MtlError, match="confusion"):
        resolve_selection(Selection(metric="confusion", over="food"), tasks)
