"""Label columns without a training label or with one class are no tasks; named tasks of that kind are refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.experiment_data import ExperimentData, load_experiment_data
from mtl_core.data.prepare import prepare
from mtl_core.errors import MtlError
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry

REGISTRY = Registry(load_plugins())
Entries = Sequence[dict[str, Any]]


def build_config(folder: Path, tasks: Entries, **keys: Any) -> ExperimentConfig:
    """Return an experiment on good labels, empty ones, one class, one class in the training split, numbers."""
    n = 30
    columns = {
        "x": [row / 10 for row in range(n)],
        "good": [row % 2 for row in range(n)],
        "number": [row / 3 for row in range(n)],
        "flat": [7] * n,
        "test_only": [row % 2 if row >= 20 else "" for row in range(n)],
        "one_in_train": [row % 2 if row >= 20 else 1 for row in range(n)],
        "split": ["train"] * 20 + ["test"] * 10,
    }
    columns |= {f"empty{k}": [""] * n for k in range(7)} | {f"one{k}": ["yes"] * n for k in range(6)}
    lines = [",".join(columns), *(",".join(map(str, row)) for row in zip(*columns.values(), strict=True))]
    (folder / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    value = {
        "name": "e",
        "data": {"type": "table", "train": str(folder / "t.csv"), "numbers": ["x"], "split": "split"},
        "encoder": "array",
        "backbone": "mlp",
        "tasks": [{"head": "linear", **task} for task in tasks],
        **keys,
    }
    return ExperimentConfig.model_validate(value, context={"registry": REGISTRY})


def load(folder: Path, tasks: Entries, **keys: Any) -> ExperimentData:
    return load_experiment_data(build_config(folder, tasks, **keys))


def list_tasks(data: ExperimentData) -> list[str]:
    assert [task.name for task in data.tasks] == list(data.labels)
    return list(data.labels)


def test_columns_of_a_pattern_that_cannot_be_trained_are_no_tasks(tmp_path: Path) -> None:
    data = load(tmp_path, [{"each": "*", "kind": "classification"}])
    assert list_tasks(data) == ["good", "number"]
    assert data.warnings == [
        "8 label columns without a training label are no tasks (test_only, empty0, empty1, empty2, empty3 and 3 more)",
        "8 label columns with one class only are no tasks (flat, one_in_train, one0, one1, one2 and 3 more); `classes` "
        "of the kind declares classes that the data lacks",
    ]
    shown = prepare(build_config(tmp_path, [{"each": "[!n]*"}])).warnings  # without the numbers
    assert set(data.warnings) <= set(shown)


def test_one_column(tmp_path: Path) -> None:
    data = load(tmp_path, [{"name": "good"}, {"each": "empty0"}])
    assert data.warnings == ["1 label column without a training label is no task (empty0)"]


@pytest.mark.parametrize("kind", ["regression", {"type": "binary", "classes": ["yes", "no"]}], ids=str)
def test_kinds_that_one_value_suffices_for(kind: Any, tmp_path: Path) -> None:
    column = "flat" if kind == "regression" else "one?"
    data = load(tmp_path, [{"each": column, "kind": kind}])
    assert len(list_tasks(data)) == (1 if kind == "regression" else 6)
    assert not data.warnings


@pytest.mark.parametrize(
    ("tasks", "keys", "message"),
    [
        (
            [{"name": "empty1"}, {"each": "*"}],
            {},
            "task 'empty1': no training example has a label in the column 'empty1'",
        ),
        (
            [{"name": f"empty{k}"} for k in range(7)],
            {},
            "task 'empty0': no training example has a label in the column 'empty0' (7 such tasks: empty0, empty1, "
            "empty2, empty3, empty4 and 2 more)",
        ),
        (
            [{"each": "*"}],
            {"active_tasks": ["good", "test_only"]},
            "task 'test_only': no training example has a label in the column 'test_only'; the column contains: 0, 1",
        ),
        ([{"each": "empty[01]"}], {}, "task 'empty0': no training example has a label in the column 'empty0' (2 such"),
        (
            [{"each": "[eo]*[01]"}],
            {},
            "no task can be trained: 2 label columns without a training label are no tasks (empty0, empty1); 2 label "
            "columns with one class only are no tasks (one0, one1)",
        ),
    ],
)
def test_tasks_that_are_refused(tasks: Entries, keys: dict[str, Any], message: str, tmp_path: Path) -> None:
    with pytest.raises(MtlError) as excinfo:
        load(tmp_path, tasks, **keys)
    assert str(excinfo.value).startswith(message)


@pytest.mark.parametrize(("names", "subject"), [(["a"], "1 task has"), (["a", "b"], "2 tasks have")])
def test_one_class_in_the_training_split_is_a_note(names: list[str], subject: str, tmp_path: Path) -> None:
    rows = [f"{row},{int(row >= 10)},{int(row < 10)},{'train' if row < 10 else 'validation'}" for row in range(20)]
    (tmp_path / "t.csv").write_text("x,a,b,split\n" + "\n".join(rows) + "\n", encoding="utf-8")
    tasks = [{"name": name, "kind": "binary", "head": "linear"} for name in names]
    value = {
        "name": "e",
        "data": {"type": "table", "train": str(tmp_path / "t.csv"), "numbers": ["x"], "split": "split"},
        "encoder": "array",
        "backbone": "mlp",
        "split": "predefined",
        "tasks": tasks,
    }
    data = prepare(ExperimentConfig.model_validate(value, context={"registry": REGISTRY}))
    note = f"training labels of one class only, and cannot learn to tell classes apart ({', '.join(names)})"
    assert f"{subject} {note}" in data.warnings


def test_equal_numbers_are_a_note(tmp_path: Path) -> None:
    rows = [f"{row},{row % 3},2.5,{'train' if row < 10 else 'validation'}" for row in range(20)]
    (tmp_path / "t.csv").write_text("x,varied,equal,split\n" + "\n".join(rows) + "\n", encoding="utf-8")
    value = {
        "name": "e",
        "data": {"type": "table", "train": str(tmp_path / "t.csv"), "numbers": ["x"], "split": "split"},
        "backbone": "mlp",
        "split": "predefined",
        "tasks": [{"each": "*", "kind": "regression", "head": "linear"}],
    }
    data = prepare(ExperimentConfig.model_validate(value, context={"registry": REGISTRY}))
    note = "1 task has training labels that are all the same number, and cannot learn to predict others (equal)"
    assert note in data.warnings
    assert not any("varied" in warning for warning in data.warnings)


def test_a_named_task_with_one_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MtlError, match=r"task 'one0': classes in the training labels: yes; a task needs 2 or more"):
        prepare(build_config(tmp_path, [{"name": "good"}, {"name": "one0"}]))
