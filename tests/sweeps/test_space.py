"""Validation of the block `sweep:`: every error has a location and is reported before training starts."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Write, errors
from jsonschema import Draft7Validator

from mtl_core.config.load import load_experiment
from mtl_core.config.schema import experiment_schema
from mtl_core.config.yaml_file import read_yaml
from mtl_core.errors import MtlError
from mtl_core.plugins import load_plugins
from mtl_core.registry import Registry
from mtl_core.sweeps.check import check_space


def _line(path: Path, word: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    block = lines.index("sweep:")
    return next(number for number, line in enumerate(lines, start=1) if word in line and number > block)


WRONG = [
    ({"optimizer.lr": {"type": "log-uniform", "low": 0.1, "high": 0.01}}, "expected `low` below `high`"),
    (
        {"optimizer.lr": {"type": "log-uniform", "low": 0.0, "high": 0.01}},
        "optimizer.lr.low: expected greater than 0",
    ),
    ({"optimizer.lr": {"type": "log-unifrom", "low": 0.1, "high": 1.0}}, "did you mean 'log-uniform'?"),
    ({"optimizer.lr": {"type": "uniform", "low": 0.1, "hi": 1.0}}, "unknown key 'hi'"),
    ({"optimizer.lr": {"low": 0.1, "high": 1.0}}, "a block with `type:`, one of uniform, log-uniform, integer"),
    ({"optimizer.lr": 0.1}, "or with `choices:`"),
    ({"optimizer.lr": {"choices": [0.1]}}, "expected a list of at least 2 items"),
    ({"optimizer.lr": {"choices": [0.1, 0.2, 0.1]}}, "the choice 0.1 occurs twice"),
    ({"training.epochs": {"type": "integer", "low": 1, "high": 4, "step": 2}}, "the last is 3"),
    (
        {"optimizer": {"choices": ["adam", "sgd"]}, "optimizer.lr": {"type": "uniform", "low": 0.1, "high": 1.0}},
        "'optimizer.lr' is searched twice: it lies below 'optimizer'",
    ),
    (
        {"tasks.0.weight": {"choices": [1.0, 2.0]}, "tasks.00.weight": {"choices": [1.0, 2.0]}},
        "'tasks.00.weight' is searched twice: it is the same as 'tasks.0.weight'",
    ),
]


@pytest.mark.parametrize(("space", "said"), WRONG, ids=[said[:30] for _, said in WRONG])
def test_a_block_that_makes_no_sense_is_refused(
    space: dict[str, Any], said: str, write: Write, mtl: Any, tmp_path: Path
) -> None:
    path = write(space)
    message = errors(mtl("sweep", path, "--out", tmp_path / "out"))
    assert said in message
    assert f"{path}:" in message
    assert "sweep.space" in message
    assert not (tmp_path / "out").exists()


def test_other_commands_look_at_the_block_too(write: Write, mtl: Any) -> None:
    path = write({"optimizer.lr": {"type": "uniform", "low": -1.0, "high": 0.1}})
    assert "sweep.space.optimizer.lr.low: the experiment refuses -1.0" in errors(mtl("validate", path))
    path = write({"optimizer.lr": {"type": "uniform", "low": 1.0, "high": 0.1}})
    assert "expected `low` below `high`" in errors(mtl("run", path))


REFUSED = [
    ("optimizer.lrr", {"choices": [0.1, 0.2]}, "sweep.space.optimizer.lrr: unknown key 'lrr'; did you mean 'lr'?"),
    ("optimiser.lr", {"choices": [0.1, 0.2]}, "unknown key 'optimiser'; did you mean 'optimizer'?"),
    ("training.epochs", {"type": "integer", "low": 0, "high": 3}, "training.epochs.low: the experiment refuses 0:"),
    ("training.epochs", {"type": "uniform", "low": 1.0, "high": 3.5}, "expected a valid integer"),
    ("backbone.dropout", {"type": "uniform", "low": 0.0, "high": 1.0}, "backbone.dropout.high: the experiment"),
    ("weighting", {"choices": ["static", "by-lables"]}, "did you mean 'by-labels'?"),
    ("backbone.type", {"choices": ["mlp", "identity"]}, "backbone.type.choices.1: the experiment refuses identity"),
    ("weighting", {"choices": ["by-labels", {"type": "by-labels"}]}, "is the same as choices.0"),
    ("tasks.7.weight", {"choices": [1.0, 2.0]}, "'7' is not an index of a list of 1"),
    ("seed.low", {"choices": [1, 2]}, "'low' lies below 1, which is not a block"),
    ("seed", {"choices": [1, 2]}, "changes seed, and with it what is measured"),
    ("split", {"choices": ["random", "stratified"]}, "changes split"),
    ("data.rows", {"choices": [40, 60]}, "changes data"),
    ("training", {"choices": [{"epochs": 2}, {"select": {"over": "mean"}}]}, "changes training.select"),
    ("tasks.0.mask", {"choices": ["observed", {"type": "exclude-labels", "labels": ["c0"]}]}, "changes tasks.0."),
    ("name", {"choices": ["one", "two"]}, "it cannot be searched"),
    ("start_from.run", {"choices": ["one", "two"]}, "no such file or folder"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "parameter", "said"), REFUSED, ids=[f"{key}-{said[-20:]}" for key, _, said in REFUSED]
)
def test_what_the_experiment_refuses_is_told_before_anything_is_trained(
    key: str, parameter: dict[str, Any], said: str, write: Write, mtl: Any, tmp_path: Path
) -> None:
    path = write({key: parameter, "tasks.0.weight": {"choices": [1.0, 2.0]}})
    message = errors(mtl("sweep", path, "--out", tmp_path / "out"))
    assert said in message
    near = range(_line(path, f"{key}:"), _line(path, f"{key}:") + 5)
    assert any(f"{path}:{line}: sweep.space.{key}" in message for line in near)
    assert not (tmp_path / "out").exists()


def test_all_flaws_are_told_at_once(write: Write) -> None:
    path = write(
        {"optimizer.lrr": {"choices": [1, 2]}, "training.epochs": {"type": "integer", "low": -1, "high": 0}}
    )
    with pytest.raises(MtlError) as error:
        check_space(load_experiment(path))
    assert [line.split(": ")[1] for line in str(error.value).splitlines()] == [
        "sweep.space.optimizer.lrr",
        "sweep.space.training.epochs.low",
        "sweep.space.training.epochs.high",
    ]


def test_own_values_are_found_where_the_space_holds_them(write: Write) -> None:
    space = {
        "optimizer.lr": {"type": "log-uniform", "low": 0.001, "high": 0.1},
        "optimizer.weight_decay": {"type": "uniform", "low": 0.1, "high": 0.2},
        "weighting": {"choices": ["by-labels", "static"]},
        "backbone.hidden_dims": {"choices": [[4], [8]]},
        "training.epochs": {"type": "integer", "low": 2, "high": 6, "step": 2},
        "training.batch_size": {"type": "log-integer", "low": 4, "high": 64},
    }
    variants = check_space(load_experiment(write(space)))
    own = {"optimizer.lr": 0.02, "weighting": "static", "backbone.hidden_dims": "[8]", "training.batch_size": 8}
    assert variants.own == own
    assert variants.shown["optimizer.weight_decay"] == "0.0"
    assert variants.shown["training.epochs"] == "3"
    drawn = variants.config({"backbone.hidden_dims": "[4]", "optimizer.lr": 0.05, "weighting": "by-labels"})
    assert drawn.backbone.model_dump()["hidden_dims"] == [4]
    assert drawn.weighting.type == "by-labels"
    assert drawn.sweep is None


def test_paths_in_choices_start_at_the_file(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir("/")
    variants = check_space(load_experiment(write({"start_from.run": {"choices": ["one", "two"]}})))
    start = variants.config({"start_from.run": "two"}).start_from
    assert start is not None
    assert start.run == tmp_path / "two"


def test_values_that_do_not_fit_each_other_are_a_message(write: Write) -> None:
    """Each value is valid without the other, so the error appears only for the sampled combination."""
    space = {
        "backbone.width": {"type": "integer", "low": 1, "high": 8},
        "backbone.height": {"type": "integer", "low": 1, "high": 8},
    }
    variants = check_space(load_experiment(write(space, backbone={"type": "fragile", "width": 2})))
    with pytest.raises(MtlError, match="backbone: 8 and 8 are more than 10"):
        variants.config({"backbone.width": 8, "backbone.height": 8})


def test_an_editor_knows_the_block(write: Write) -> None:
    value = read_yaml(write()).value
    schema = experiment_schema(Registry(load_plugins(value["plugins"])))
    validator = Draft7Validator(schema)
    validator.validate(value)
    validator.validate({**value, "sweep": None})
    assert "each order of magnitude" in json.dumps(schema)
    for wrong in (
        {"optimizer.lr": {"type": "log-unifrom", "low": 0.1, "high": 1.0}},
        {"optimizer.lr": {"type": "uniform", "low": 0.1}},
        {"optimizer.lr": {"choices": []}},
        {},
    ):
        assert not validator.is_valid({**value, "sweep": {"space": wrong}}), wrong
    assert not validator.is_valid({**value, "sweep": {**value["sweep"], "trails": 3}})
    assert not validator.is_valid({**value, "sweep": {**value["sweep"], "sampler": {"type": "tpee"}}})
