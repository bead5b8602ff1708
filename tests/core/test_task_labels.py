"""The labels of tasks in a corpus of one or several data sets."""

from collections.abc import Sequence
from typing import Any

import pytest

from mtl_core.config.tasks import NamedTask
from mtl_core.data.corpus import Corpus, Label
from mtl_core.data.task_labels import check_has_label, find_label_columns, get_task_labels
from mtl_core.errors import MtlError

MOOD: Sequence[Label | None] = ["good", None, "bad", "good", None]
TOPIC: Sequence[Label | None] = [None, None, "food", None, "sport"]
SOURCES = ["first", "first", "second", "second", "third"]


def build_corpus(sources: Sequence[str] = (), **labels: Sequence[Label | None]) -> Corpus:
    return Corpus(
        ids=[str(row) for row in range(5)],
        inputs=list(range(5)),
        labels=labels or {"mood": MOOD, "topic": TOPIC, "empty": [None] * 5},
        splits=["train"] * 5,
        sources=list(sources),
    )


def build_task(name: str = "mood", **keys: Any) -> NamedTask:
    return NamedTask.model_validate({"name": name, "kind": "classification", "head": "linear", **keys})


def test_columns_of_one_data_set_are_all_columns() -> None:
    assert find_label_columns(build_corpus(), ["only"]) == {"only": ["mood", "topic", "empty"]}


def test_columns_of_several_data_sets_are_those_with_labels() -> None:
    assert find_label_columns(build_corpus(SOURCES), ["first", "second", "third"]) == {
        "first": ["mood"],
        "second": ["mood", "topic"],
        "third": ["topic"],
    }


def test_labels_of_a_task_are_those_of_its_column() -> None:
    corpus = build_corpus(SOURCES)
    assert list(get_task_labels(build_task(), corpus)) == MOOD
    assert list(get_task_labels(build_task("sentiment", label="topic"), corpus)) == TOPIC
    assert list(get_task_labels(build_task("other"), corpus)) == [None] * 5


def test_labels_of_other_data_sets_are_missing() -> None:
    task = build_task(data=["second", "third"])
    assert list(get_task_labels(task, build_corpus(SOURCES))) == [None, None, "bad", "good", None]
    assert list(get_task_labels(task, build_corpus())) == MOOD  # such as a file that is predicted


def check(task: NamedTask, labels: Sequence[Any], train: Sequence[int], weights: Sequence[float] | None = None) -> None:
    check_has_label(task, labels, train, weights)


def test_one_label_with_a_weight_is_enough() -> None:
    check(build_task(), MOOD, [0])
    check(build_task(), MOOD, [1, 3])
    check(build_task(), MOOD, [0, 1, 2], [0.0, 0.0, 0.5, 0.0, 0.0])
    check(build_task(), MOOD, [0], [0.5, 0.0, 0.0, 0.0, 0.0])
    check(build_task(), [None, [None, "x"], None], [0, 1])
    check(build_task(), [None, [], None], [1])  # an empty list means "no class"
    check(build_task(), [None, [], None], [1], [0.0, 2.0, 0.0])


def test_no_training_label_is_reported_with_the_labels_of_the_column() -> None:
    with pytest.raises(MtlError) as error:
        check(build_task(), MOOD, [1, 4])
    assert str(error.value) == (
        "task 'mood': no training example has a label in the column 'mood'; the column contains: good, bad"
    )
    with pytest.raises(MtlError) as error:
        check(build_task("m", label="mood", data=["first", "third"]), [None] * 5, [0, 1])
    assert str(error.value) == (
        "task 'm': no training example has a label in the column 'mood' of the data set first, third"
    )
    with pytest.raises(MtlError, match=r"contains: 0, 1, 2, 3, 4 and 4 more$"):
        check(build_task(), [str(n) for n in range(9)], [])


def test_lists_of_missing_labels_are_no_labels() -> None:
    with pytest.raises(MtlError, match=r"no training example has a label in the column 'mood'$"):
        check(build_task(), [[None, None], (None,)], [0, 1])


def test_excluded_labels_are_no_labels() -> None:
    mask = {"type": "exclude-labels", "labels": ["good"]}
    with pytest.raises(MtlError, match=r"no training example has a label in the column 'mood'; .* good, bad"):
        check(build_task(mask=mask), MOOD, [0, 1, 3])
    check(build_task(mask=mask), MOOD, [0, 1, 2])
    with pytest.raises(MtlError, match="no training example"):
        check(build_task(mask={"type": "exclude-labels", "labels": ["1"]}), [1, 1, 2], [0, 1])


def test_labels_of_weight_0_are_reported() -> None:
    with pytest.raises(MtlError) as error:
        check(build_task(), MOOD, [0, 1, 2], [0.0, 1.0, 0.0, 1.0, 1.0])
    assert str(error.value) == "task 'mood': all training labels in the column 'mood' have a weight of 0"
