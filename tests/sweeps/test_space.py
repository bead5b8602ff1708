"""Validation of the block `sweep:`: every error has a location and is reported before training starts."""

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from sweep_files import WriteSweep, get_error_message

from mtl_core.config.json_schema import build_experiment_schema
from mtl_core.config.load import load_experiment
from mtl_core.config.yaml_file import read_yaml
from mtl_core.errors import MtlError
from mtl_core.experiments.sweep.validate_space import validate_space
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry


def _find_line(path: Path, word: str) -> int:
    lines = path.read_text(encoding="utf-8").splitlines()
    block = lines.index("sweep:")
    return next(number for number, line in enumerate(lines, start=1) if word in line and number > block)


INVALID_SPACES = [
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


@pytest.mark.parametrize(("space", "message_part"), INVALID_SPACES, ids=[message[:30] for _, message in INVALID_SPACES])
def test_invalid_block_is_rejected(
    space: dict[str, Any], message_part: str, write_sweep: WriteSweep, mtl: Any, tmp_path: Path
) -> None:
    path = write_sweep(space)
    message = get_error_message(mtl("sweep", path, "--out", tmp_path / "out"))
    assert message_part in message
    assert f"{path}:" in message
    assert "sweep.space" in message
    assert not (tmp_path / "out").exists()


def test_other_commands_validate_the_block(write_sweep: WriteSweep, mtl: Any) -> None:
    path = write_sweep({"optimizer.lr": {"type": "uniform", "low": -1.0, "high": 0.1}})
    assert "sweep.space.optimizer.lr.low: the experiment refuses -1.0" in get_error_message(mtl("validate", path))
    path = write_sweep({"optimizer.lr": {"type": "uniform", "low": 1.0, "high": 0.1}})
    assert "expected `low` below `high`" in get_error_message(mtl("run", path))


REJECTED_PARAMETERS = [
    ("optimizer.lrr", {"choices": [0.1, 0.2]}, "sweep.space.optimizer.lrr: unknown key 'lrr'; did you mean 'lr'?"),
    ("optimiser.lr", {"choices": [0.1, 0.2]}, "unknown key 'optimiser'; did you mean 'optimizer'?"),
    ("training.epochs", {"type": "integer", "low": 0, "high": 3}, "training.epochs.low: the experiment refuses 0:"),
    ("training.epochs", {"type": "uniform", "low": 1.0, "high": 3.5}, "expected a valid integer"),
    ("backbone.dropout", {"type": "uniform", "low": 0.0, "high": 1.0}, "backbone.dropout.high: the experiment"),
    ("weighting", {"choices": ["sum", "label-cuont"]}, "did you mean 'label-count'?"),
    ("backbone.type", {"choices": ["mlp", "identity"]}, "backbone.type.choices.1: the experiment refuses identity"),
    ("weighting", {"choices": ["label-count", {"type": "label-count"}]}, "is the same as choices.0"),
    ("tasks.7.weight", {"choices": [1.0, 2.0]}, "'7' is not an index of a list of 1"),
    ("seed.low", {"choices": [1, 2]}, "'low' lies below 1, which is not a block"),
    ("seed", {"choices": [1, 2]}, "changes seed, and with it what is measured"),
    ("split", {"choices": ["random", "stratified"]}, "changes split"),
    ("data.rows", {"choices": [40, 60]}, "changes data"),
    ("training", {"choices": [{"epochs": 2}, {"select": {"aggregation": "mean"}}]}, "changes training.select"),
    ("tasks.0.mask", {"choices": ["observed", {"type": "exclude-labels", "labels": ["c0"]}]}, "changes tasks.0."),
    ("name", {"choices": ["one", "two"]}, "it cannot be searched"),
    ("init_from.run", {"choices": ["one", "two"]}, "no such file or folder"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "parameter", "message_part"),
    REJECTED_PARAMETERS,
    ids=[f"{key}-{message[-20:]}" for key, _, message in REJECTED_PARAMETERS],
)
def test_values_that_the_experiment_rejects_are_reported_before_training(
    key: str, parameter: dict[str, Any], message_part: str, write_sweep: WriteSweep, mtl: Any, tmp_path: Path
) -> None:
    path = write_sweep({key: parameter, "tasks.0.weight": {"choices": [1.0, 2.0]}})
    message = get_error_message(mtl("sweep", path, "--out", tmp_path / "out"))
    assert message_part in message
    block_lines = range(_find_line(path, f"{key}:"), _find_line(path, f"{key}:") + 5)
    assert any(f"{path}:{line}: sweep.space.{key}" in message for line in block_lines)
    assert not (tmp_path / "out").exists()


def test_all_validation_errors_are_reported_at_once(write_sweep: WriteSweep) -> None:
    path = write_sweep(
        {"optimizer.lrr": {"choices": [1, 2]}, "training.epochs": {"type": "integer", "low": -1, "high": 0}}
    )
    with pytest.raises(MtlError) as error:
        validate_space(load_experiment(path))
    assert [line.split(": ")[1] for line in str(error.value).splitlines()] == [
        "sweep.space.optimizer.lrr",
        "sweep.space.training.epochs.low",
        "sweep.space.training.epochs.high",
    ]


def test_baseline_values_are_those_within_the_space(write_sweep: WriteSweep) -> None:
    space = {
        "optimizer.lr": {"type": "log-uniform", "low": 0.001, "high": 0.1},
        "optimizer.weight_decay": {"type": "uniform", "low": 0.1, "high": 0.2},
        "weighting": {"choices": ["label-count", "sum"]},
        "backbone.hidden_dims": {"choices": [[4], [8]]},
        "training.epochs": {"type": "integer", "low": 2, "high": 6, "step": 2},
        "training.batch_size": {"type": "log-integer", "low": 4, "high": 64},
    }
    variants = validate_space(load_experiment(write_sweep(space)))
    expected_params = {
        "optimizer.lr": 0.02,
        "weighting": "sum",
        "backbone.hidden_dims": "[8]",
        "training.batch_size": 8,
    }
    assert variants.baseline_params == expected_params
    assert variants.baseline_texts["optimizer.weight_decay"] == "0.0"
    assert variants.baseline_texts["training.epochs"] == "3"
    sampled_config = variants.apply_params(
        {"backbone.hidden_dims": "[4]", "optimizer.lr": 0.05, "weighting": "label-count"}
    )
    assert sampled_config.backbone.model_dump()["hidden_dims"] == [4]
    assert sampled_config.weighting.type == "label-count"
    assert sampled_config.sweep is None


def test_paths_in_choices_are_relative_to_the_file(
    write_sweep: WriteSweep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir("/")
    variants = validate_space(load_experiment(write_sweep({"init_from.run": {"choices": ["one", "two"]}})))
    start = variants.apply_params({"init_from.run": "two"}).init_from
    assert start is not None
    assert start.run == tmp_path / "two"


def test_incompatible_values_are_one_message(write_sweep: WriteSweep) -> None:
    """Each value is valid without the other, so the error appears only for the sampled combination."""
    space = {
        "backbone.width": {"type": "integer", "low": 1, "high": 8},
        "backbone.height": {"type": "integer", "low": 1, "high": 8},
    }
    variants = validate_space(load_experiment(write_sweep(space, backbone={"type": "fragile", "width": 2})))
    with pytest.raises(MtlError, match="backbone: 8 and 8 are more than 10"):
        variants.apply_params({"backbone.width": 8, "backbone.height": 8})


def test_json_schema_covers_the_block(write_sweep: WriteSweep) -> None:
    value = read_yaml(write_sweep()).value
    schema = build_experiment_schema(Registry(load_plugins(value["plugins"])))
    validator = Draft7Validator(schema)
    validator.validate(value)
    validator.validate({**value, "sweep": None})
    assert "each order of magnitude" in json.dumps(schema)
    invalid_space: dict[str, Any]
    for invalid_space in (
        {"optimizer.lr": {"type": "log-unifrom", "low": 0.1, "high": 1.0}},
        {"optimizer.lr": {"type": "uniform", "low": 0.1}},
        {"optimizer.lr": {"choices": []}},
        {},
    ):
        assert not validator.is_valid({**value, "sweep": {"space": invalid_space}}), invalid_space
    assert not validator.is_valid({**value, "sweep": {**value["sweep"], "trails": 3}})
    assert not validator.is_valid({**value, "sweep": {**value["sweep"], "sampler": {"type": "tpee"}}})
