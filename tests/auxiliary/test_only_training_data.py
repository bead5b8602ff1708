"""Auxiliary tasks fit nothing on validation or test data."""

from pathlib import Path
from typing import Any

import pytest
from sentences import OPTIONS_BY_TYPE, ROWS, Row, build_block, prepare_data, write_rows

from mtl_core.data.corpus import Label

OTHER_ROWS: list[Row] = [
    ("validation", "soup soup soup soup game game good and a long long long text .", "negative", "food"),
    ("validation", "bad bad bad bad bad bad bad", "positive", "food"),
    ("validation", "horrible horrible horrible horrible horrible the horrible", "negative", "sport"),
    ("test", "good good good good game game", "negative", "sport"),
    ("test", "bad tonight tonight tonight tonight tonight", "positive", "zoo"),
]


def fit_tasks(folder: Path, rows: list[Row], name: str, **keys: Any) -> tuple[list[list[Label | None]], list[Any]]:
    """Return the labels of the training examples, and the fitted state: label spaces and label counts."""
    folder.mkdir()
    write_rows(folder, rows)
    data = prepare_data(folder, build_block(name, **keys))
    tasks = [task for task in data.tasks if task.auxiliary_spec]
    train = data.split.train.tolist()
    columns = [[column[row] for row in train] for task in tasks if len(column := data.labels.get(task.name, ()))]
    return columns, [(task.name, task.space.state(), dict(task.class_counts)) for task in tasks]


@pytest.mark.parametrize("name", OPTIONS_BY_TYPE)
def test_other_texts_and_labels_in_validation_and_test_data_change_nothing(tmp_path: Path, name: str) -> None:
    training = [row for row in ROWS if row[0] == "train"]
    plain = fit_tasks(tmp_path / "plain", ROWS, name)
    for index, extra_rows in enumerate((OTHER_ROWS, OTHER_ROWS[:1], [])):
        assert fit_tasks(tmp_path / f"other-{index}", [*training, *extra_rows], name) == plain
    rows_as_training = [("train", *row[1:]) for row in OTHER_ROWS]
    assert fit_tasks(tmp_path / "moved", [*training, *rows_as_training], name) != plain  # training data has an effect


def test_opinion_words_do_not_depend_on_test_labels(tmp_path: Path) -> None:
    training = [row for row in ROWS if row[0] == "train"]
    extra_rows = [
        *[("test", "again again again", "positive", "food")] * 9,
        *[("validation", "good", "negative", "food")] * 9,
    ]
    before, after = (
        fit_tasks(tmp_path / str(index), [*training, *added_rows], "opinion-words")
        for index, added_rows in enumerate(([], extra_rows))
    )
    assert before == after
