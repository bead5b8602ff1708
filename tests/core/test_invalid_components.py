"""Invalid components of a plugin: the message names the actual and the expected return value."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtl_core import Corpus, MtlError
from mtl_core.config.load import load_experiment
from mtl_core.runs.evaluate import evaluate_test_split
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_run import load_run

RunError = Callable[[str], str]


@pytest.fixture
def run_error(toy_experiment: Path, tmp_path: Path) -> RunError:
    """Return a function that runs the toy experiment with one override and returns its error message."""

    def message(change: str) -> str:
        config = load_experiment(
            toy_experiment, [change], [str(Path(__file__).with_name("invalid_components.py"))]
        ).config
        with pytest.raises(MtlError) as excinfo:
            run_experiment(config, tmp_path / "run")
        assert not (tmp_path / "run").exists()
        return str(excinfo.value)

    return message


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("length", "returned a tensor of shape ("),
        ("one row", "returned a tensor of shape (1, "),
        ("too wide", "returned a tensor of shape ("),
        ("nothing", "returned None (is there a `return`?)"),
        ("tuple", "returned a tuple"),
        ("classes", "returned a tensor of shape ("),
    ],
)
def test_head_of_the_wrong_shape_is_reported(run_error: RunError, what: str, expected: str) -> None:
    message = run_error(f"tasks.0.head={{type: wrong, what: {what}}}")
    assert message.startswith("the head of task '")
    assert expected in message
    assert message.endswith(": (batch, outputs)")


def test_head_spec_that_builds_none(run_error: RunError) -> None:
    message = run_error("tasks.0.head={type: wrong, what: no module}")
    assert message == "head 'wrong': its build returned None, expected a torch module"


def test_backbone_with_invalid_outputs(run_error: RunError) -> None:
    assert run_error("backbone={type: wrong, tensor: true}") == "the backbone returned a Tensor, expected Features"
    assert "but its `output` states" in run_error("backbone={type: wrong, tensor: false}")


@pytest.mark.parametrize("flat", ["true", "false"])
def test_mask_of_the_wrong_shape_or_type(run_error: RunError, flat: str) -> None:
    message = run_error(f"tasks.0.mask={{type: wrong, flat: {flat}}}")
    assert message.startswith("a loss mask returned torch.")
    assert message.endswith(": (batch, tasks)")


@pytest.mark.parametrize(
    ("label", "actual"),
    [
        (float("nan"), "nan"),
        ("", "an empty text"),
        ({"a": 1}, "{'a': 1}"),
        (["a", ""], "an empty text"),
        (["a", float("nan")], "nan"),
        (["a", ["b"]], "['b']"),
    ],
    ids=["nan", "empty", "block", "list with an empty text", "list with nan", "list in a list"],
)
def test_labels_of_a_loader_are_validated(label: Any, actual: str) -> None:
    with pytest.raises(MtlError) as excinfo:
        Corpus(ids=["a", "b"], inputs=["x", "y"], labels={"t": ["good", label]}, splits=["train"] * 2)
    expected = "expected a text, a number or a list of them (a missing label is None)"
    assert str(excinfo.value) == f"example b: the label 't' is {actual}, {expected}"


def test_splits_of_a_loader_are_validated() -> None:
    with pytest.raises(MtlError, match="to the split 'dev'; splits are train, validation, test"):
        Corpus(ids=["a"], inputs=["x"], labels={}, splits=["dev"])  # type: ignore[list-item]


def test_test_split_of_a_splitter_can_be_evaluated(toy_experiment: Path, tmp_path: Path) -> None:
    changes = ["split={type: stratified, validation: 0.2, test: 0.2}"]
    report = run_experiment(load_experiment(toy_experiment, changes).config, str(tmp_path / "run"))
    evaluation = evaluate_test_split(load_run(str(tmp_path / "run")))
    assert evaluation.n_examples == len(report.data.split.test) > 0
    assert evaluation.scores == report.scores["test"]


def test_accuracy_is_exactly_correct_over_n(toy_experiment: Path, tmp_path: Path) -> None:
    run_experiment(load_experiment(toy_experiment).config, tmp_path / "run")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    for split in metrics["splits"].values():
        for score in [*split["tasks"].values(), split["overall"]]:
            assert score["accuracy"] == score["correct"] / score["n"]
