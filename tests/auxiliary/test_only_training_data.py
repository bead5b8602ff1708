"""Auxiliary tasks fit nothing on validation or test data."""

from pathlib import Path
from typing import Any

import pytest
from sentences import ROWS, TYPES, Row, block, prepared, write_rows

from mtl_core.data.corpus import Label

OTHER: list[Row] = [
    ("validation", "soup soup soup soup game game good and a long long long text .", "negative", "food"),
    ("validation", "bad bad bad bad bad bad bad", "positive", "food"),
    ("validation", "horrible horrible horrible horrible horrible the horrible", "negative", "sport"),
    ("test", "good good good good game game", "negative", "sport"),
    ("test", "bad tonight tonight tonight tonight tonight", "positive", "zoo"),
]


def learned(folder: Path, rows: list[Row], name: str, **keys: Any) -> tuple[list[Label | None], list[Any]]:
    """Return the labels of the training examples, and the fitted state: label spaces and label counts."""
    folder.mkdir()
    write_rows(folder, rows)
    found = prepared(folder, block(name, **keys))
    tasks = [task for task in found.tasks if task.auxiliary]
    train = found.split.train.tolist()
    columns = [[column[row] for row in train] for task in tasks if len(column := found.labels.get(task.name, ()))]
    return columns, [(task.name, task.space.state(), dict(task.counts)) for task in tasks]


@pytest.mark.parametrize("name", TYPES)
def test_other_texts_and_labels_in_validation_and_test_data_change_nothing(tmp_path: Path, name: str) -> None:
    training = [row for row in ROWS if row[0] == "train"]
    plain = learned(tmp_path / "plain", ROWS, name)
    for place, rest in enumerate((OTHER, OTHER[:1], [])):
        assert learned(tmp_path / f"other-{place}", [*training, *rest], name) == plain
    moved = [("train", *row[1:]) for row in OTHER]
    assert learned(tmp_path / "moved", [*training, *moved], name) != plain  # training data has an effect


def test_opinion_words_do_not_know_which_words_the_test_data_praises(tmp_path: Path) -> None:
    training = [row for row in ROWS if row[0] == "train"]
    rest = [
        *[("test", "again again again", "positive", "food")] * 9,
        *[("validation", "good", "negative", "food")] * 9,
    ]
    before, after = (
        learned(tmp_path / str(place), [*training, *more], "opinion-words") for place, more in enumerate(([], rest))
    )
    assert before == after
