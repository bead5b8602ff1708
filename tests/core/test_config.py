"""Loading experiments: strictness, messages, overrides, paths, versions and serialisation."""

import contextlib
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import check_inputs, dump_config, load_experiment
from mtl_core.config.overrides import apply_overrides, set_value
from mtl_core.config.task_resolution import resolve_tasks
from mtl_core.config.tasks import NamedTask, TaskPattern
from mtl_core.config.yaml_file import dump_yaml, parse_scalar, read_yaml
from mtl_core.errors import MtlError
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry

Variant = Callable[..., Path]


@pytest.fixture
def write_variant(toy_experiment: Path, toy_plugin: Path, tmp_path: Path) -> Variant:
    """Return a function that writes the toy experiment, with some texts replaced, to an empty folder."""

    def write(*changes: tuple[str, str], extra_text: str = "") -> Path:
        text = toy_experiment.read_text(encoding="utf-8").replace("toy_loader.py", str(toy_plugin))
        for old, new in changes:
            assert text.count(old) == 1, f"{old!r} must occur in the experiment once"
            text = text.replace(old, new)
        path = tmp_path / "variant.yaml"
        path.write_text(text + extra_text, encoding="utf-8")
        return path

    return write


words = st.text(min_size=1, max_size=8) | st.sampled_from(
    [
        "no",
        "1e3",
        "010",
        "0o7",
        "12:30",
        "null",
        "~",
        "=",
        "<<",
        "- a",
        "#x",
        "a: b",
        ".inf",
        "1_0",
        "true",
        "\ufeff",
    ]
)


def load_error(path: Path, *overrides: str) -> str:
    with pytest.raises(MtlError) as excinfo:
        load_experiment(path, overrides)
    return str(excinfo.value)


def write_yaml_file(folder: Path, text: str) -> Path:
    path = folder / "e.yaml"
    path.write_text(text, encoding="utf-8")
    return path


# Messages: location, actual value and remedy


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("name: toy", "nam: tiny"), "1: nam: unknown key 'nam'; did you mean 'name'? (keys here: version, "),
        (
            ("examples:", "exmaples:"),
            "2: data.exmaples: unknown key 'exmaples'; did you mean 'examples'? (keys of ty",
        ),
        (("validation: 0", "validaton: 0"), "3: split.validaton: unknown key 'validaton'; did you mean 'valida"),
        (
            ("standardise:", "standardize:"),
            "4: encoder.standardize: unknown key 'standardize'; did you mean 'standar",
        ),
        (
            ("hidden_dims:", "hiden_dims:"),
            "5: backbone.hiden_dims: unknown key 'hiden_dims'; did you mean 'hidden_di",
        ),
        (
            ("    kind:", "    knd:"),
            "8: tasks.0.knd: unknown key 'knd'; did you mean 'kind'? (keys here: kind, head",
        ),
        (
            ("metrics:", "metric:"),
            "8: tasks.0.kind.metric: unknown key 'metric'; did you mean 'metrics'? (keys of ty",
        ),
        (
            ("dropout:", "drop:"),
            "9: tasks.0.head.drop: unknown key 'drop'; did you mean 'dropout'? (keys of type 'li",
        ),
        (("labels:", "lables:"), "10: tasks.0.mask.lables: unknown key 'lables'; did you mean 'labels'? (keys of"),
        (
            ("lr:", "learning_rate:"),
            "11: optimizer.learning_rate: unknown key 'learning_rate'; did you mean 'optimizer.lr'? (keys of type",
        ),
        (
            ("epochs:", "epoch:"),
            "12: training.epoch: unknown key 'epoch'; did you mean 'epochs'? (keys here: epochs",
        ),
        (("{epochs: 2,", "{select: {metrc: x},"), "12: training.select.metrc: unknown key 'metrc'; did you mean"),
        (("[4]", "[four]"), "5: backbone.hidden_dims.0: expected a valid integer, found 'four'"),
        (("[4]", "4"), "5: backbone.hidden_dims: expected a list, such as [one, two], found 4"),
        (("epochs: 2", "epochs: 2.0"), "12: training.epochs: expected a valid integer, found 2.0"),
        (("epochs: 2", "epochs: '2'"), "12: training.epochs: expected a valid integer, found '2'"),
        (("epochs: 2", "epochs: true"), "12: training.epochs: expected a valid integer, found true"),
        (("epochs: 2", "epochs:"), "12: training.epochs: expected a valid integer, found null"),
        (("epochs: 2", "epochs: 0"), "12: training.epochs: expected greater than 0, found 0"),
        (("epochs: 2", "refit: yes"), "12: training.refit: expected a valid boolean, found 'yes'"),
        (("lr: 0.01", "lr: .inf"), "11: optimizer.lr: expected a finite number, found inf"),
        (("lr: 0.01", "lr: .nan"), "11: optimizer.lr: expected a finite number, found nan"),
        (("examples: 48", "extra_file: 3"), "2: data.extra_file: expected a path, found 3"),
        (("metrics: [accuracy]", "classes: [a, 1]"), "8: tasks.0.kind.classes.1: expected a valid string, found 1"),
        (
            ("metrics: [accuracy]", "classes: [a]"),
            "8: tasks.0.kind.classes: expected a list of at least 2 items, foun",
        ),
        (("metrics: [accuracy]", "classes: [a, b, a]"), "8: tasks.0.kind: the class 'a' is listed twice"),
        (("[accuracy]", "[accuracy, accuracy]"), "8: tasks.0.kind: the metric 'accuracy' is listed twice"),
        (
            ("type: mlp", "type: identiy"),
            "5: backbone.type: unknown backbone 'identiy'; did you mean 'identity'? (ins",
        ),
        (
            ("type: numbers", "type: nubers"),
            "2: data.type: unknown loader 'nubers'; did you mean 'numbers'? (installe",
        ),
        (
            ("type: linear", "type: liner"),
            "9: tasks.0.head.type: unknown head 'liner'; did you mean 'linear'? (insta",
        ),
        (("{type: mlp, hidden", "{hidden"), "5: backbone: expected a backbone: a block with `ty"),
        (("{type: mlp, hidden_dims: [4]}", "7"), "5: backbone: expected a backbone: a block with `type:`, one of "),
        (("type: mlp", "type: 7"), "5: backbone: expected a backbone: a block with `type:`, one of "),
        (("{epochs: 2, batch_size: 8}", "fast"), "12: training: expected a block of keys, found 'fast'"),
        (('  - each: "*"\n', "  - hello\n  - each: a\n"), "7: tasks.0: expected a block of keys, found 'hello'"),
        (("name: toy", "name: a/b"), "1: name: 'a/b' contains a slash; run directories are named after the expe"),
        (("name: toy", "seed: -1"), "1: seed: expected greater than or equal to 0, found -1"),
        (
            ("name: toy", "version: 2"),
            "1: version: the file has format 2, this installation reads up to 1; upgrade",
        ),
        (("name: toy", "version: old"), "1: version: found 'old', expected a number from 1 to 1"),
        (("name: toy", "version: 0"), "1: version: found 0, expected a number from 1 to 1"),
        (
            ("plugins: [", "plugins: mine #"),
            "13: plugins: expected a list of module names or .py files, found 'mine'",
        ),
        (("plugins: [", "plugins: [no.py, "), "13: plugins.0: plugin 'no.py': no such file: "),
        (("name: toy", "1: 2"), "1: 1: unknown key '1' (keys here: "),
    ],
)
def test_message_has_file_line_key_and_remedy(change: tuple[str, str], message: str, write_variant: Variant) -> None:
    path = write_variant(change)
    error_message = load_error(path)
    assert error_message.startswith(f"{path}:{message}")
    assert "\n" not in error_message


@pytest.mark.parametrize("key", ["data", "encoder", "backbone", "tasks"])
def test_missing_block_is_reported_with_remedies(key: str, write_variant: Variant, tmp_path: Path) -> None:
    value = read_yaml(write_variant()).value
    del value[key]
    path = write_yaml_file(tmp_path, dump_yaml(value))
    assert load_error(path) == f"{path}: {key}: required, but missing (give it in e.yaml or with --set {key}=VALUE)"


def test_all_errors_are_reported_together(write_variant: Variant) -> None:
    path = write_variant(
        ("dropout:", "drop:"), ("lr: 0.01", "lr: fast"), ("type: mlp", "type: gru"), extra_text="sed: 1\nseed: x\n"
    )
    lines = load_error(path).splitlines()
    assert {line.removeprefix(f"{path}:").split(": ")[1] for line in lines} == {
        "sed",
        "seed",
        "backbone.type",
        "tasks.0.head.drop",
        "optimizer.lr",
    }


def test_unknown_keys_do_not_suppress_other_errors_of_their_block(write_variant: Variant) -> None:
    path = write_variant(("hidden_dims: [4]", "hidden_dims: [0], layer: 2"))
    locations = [line.split(": ")[1] for line in load_error(path).splitlines()]
    assert locations == ["backbone.layer", "backbone.hidden_dims.0"]


def test_keys_of_another_type_are_reported_with_the_type(write_variant: Variant) -> None:
    """They must not be ignored, since the user expects them to take effect."""
    path = write_variant(("type: mlp", "type: identity"))
    assert load_error(path) == (
        f"{path}:5: backbone.hidden_dims: unknown key 'hidden_dims' (keys of type 'identity': type)"
    )
    path = write_variant(("type: adam, lr: 0.01", "type: sgd, betas: [0.9, 0.99]"))
    assert load_error(path) == (
        f"{path}:11: optimizer.betas: unknown key 'betas' (keys of type 'sgd': type, lr, momentum, weight_decay)"
    )


def test_type_name_is_short_for_a_block(write_variant: Variant) -> None:
    short_path = write_variant(("{type: mlp, hidden_dims: [4]}", "mlp"))
    short_config = load_experiment(short_path).config
    block_path = write_variant(("{type: mlp, hidden_dims: [4]}", "{type: mlp}"))
    assert load_experiment(block_path).config == short_config


# YAML


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(word, word) for word in ("yes", "no", "on", "off", "Yes", "NO", "y", "n")],
        ("true", True),
        ("False", False),
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        (".5", 0.5),
        ("-2.", -2.0),
        ("010", 10),
        ("-7", -7),
        ("12:30", "12:30"),
        ("1_000", "1_000"),
        ("0x1F", "0x1F"),
        ("2014-06-01", "2014-06-01"),
        ("null", None),
        ("~", None),
        ("", None),
        ("[no, 1e1]", ["no", 10.0]),
        ("{a: {b: off}}", {"a": {"b": "off"}}),
    ],
)
def test_yaml_scalars(text: str, value: object) -> None:
    parsed = parse_scalar(text)
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ": the file is empty, expected an experiment (keys such as data, backbone, tasks)"),
        ("# only a comment\n", ": the file is empty, "),
        ("- a\n", ":1: expected a mapping of keys to values at the top level"),
        ("just words\n", ":1: expected a mapping of keys to values at the top level"),
        ("seed: 1\nname: a\nseed: 2\n", ":3: the key 'seed' is repeated (first on line 1)"),
        ("data:\n  type: a\n  train: b\n  type: c\n", ":4: the key 'type' is repeated (first on line 2)"),
        ("tasks:\n  - {name: a, name: b}\n", ":2: the key 'name' is repeated (first on line 2)"),
        ("name: [a\n", ":2: not valid YAML: "),
        ("name: a\n\tseed: 1\n", ":2: not valid YAML: "),
        ("name: !!python/object/apply:os.getcwd []\n", ":1: not valid YAML: could not determine a constructor"),
        ("name: a\n---\nname: b\n", ":2: not valid YAML: "),
        ("name: a\nseed: \x01\n", ":2: not valid YAML: it contains the control character U+0001"),
        ("name: a\n\x7fseed: 1\n", ":2: not valid YAML: it contains the control character U+007F"),
        ("name: !!int one\n", ":1: not valid YAML: 'one' is not a value of the type int"),
        (f"name: a\nseed: {'9' * 5000}\n", ":2: not valid YAML: '999999999"),
        ("seed: !!bool maybe\n", ":1: not valid YAML: 'maybe' is not a value of the type bool"),
        ("!!set {name: null}\n", ":1: not valid YAML: could not determine a constructor"),
        ("name: &a [*a]\n", ": nested too deeply"),
    ],
)
def test_invalid_experiment_files(text: str, message: str, tmp_path: Path) -> None:
    path = write_yaml_file(tmp_path, text)
    assert load_error(path).startswith(f"{path}{message}")


def test_non_utf8_file_and_missing_file(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: café\n".encode("latin-1"))
    assert load_error(path) == f"{path}:1: not UTF-8: the byte 0xe9 is not valid"
    assert load_error(tmp_path / "none.yaml") == f"{tmp_path / 'none.yaml'}: no such file"
    assert "is a folder" in load_error(Path(f"{tmp_path}/."))


def test_byte_order_mark_is_ignored(write_variant: Variant) -> None:
    path = write_variant()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert load_experiment(path).config.name == "toy"


def test_experiment_name_defaults_to_the_file_name(write_variant: Variant) -> None:
    assert load_experiment(write_variant(("name: toy\n", ""))).config.name == "variant"


# --set


def test_set_reaches_blocks_lists_and_short_forms(write_variant: Variant) -> None:
    path = write_variant(("{type: mlp, hidden_dims: [4]}", "mlp"), ("[accuracy]", "[accuracy], classes: [ja, no]"))
    config = load_experiment(
        path,
        [
            "training.epochs=7",
            "training.select.aggregation=mean",
            "tasks.0.weight=2",
            "tasks.0.kind.classes.1=nein",
            "backbone.hidden_dims=[6, 7]",
            "backbone.hidden_dims.1=8",
            "optimizer={type: sgd, lr: 1e-2}",
            "seed=5",
            "name=a=b",
        ],
    ).config
    assert (config.training.epochs, config.training.select.aggregation) == (7, "mean")
    assert config.tasks[0].weight == 2
    assert config.tasks[0].kind.model_dump()["classes"] == ["ja", "nein"]
    assert config.backbone.model_dump()["hidden_dims"] == [6, 8]
    assert config.optimizer.model_dump() == {"type": "sgd", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.0}
    assert (config.seed, config.name) == (5, "a=b")


def test_later_overrides_apply_to_the_result_of_earlier_ones(toy_experiment: Path) -> None:
    config = load_experiment(toy_experiment, ["optimizer=sgd", "optimizer.lr=1"]).config
    assert config.optimizer.model_dump() == {"type": "sgd", "lr": 1.0, "momentum": 0.9, "weight_decay": 0.0}


def test_overrides_do_not_change_their_input() -> None:
    value: dict[str, Any] = {"a": {"b": [1]}}
    overridden, locations = apply_overrides(value, ["a.b.0=2", "c=3"])
    assert value == {"a": {"b": [1]}}
    assert overridden == {"a": {"b": [2]}, "c": 3}
    assert locations == [("a", "b", 0), ("c",)]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.epochs", "--set training.epochs: expected KEY=VALUE, such as training.epochs=3"),
        ("=3", "--set =3: expected KEY=VALUE"),
        ("training.epochs=", "--set training.epochs: expected a valid integer, found null"),
        ("training.epochz=3", "--set training.epochz: unknown key 'epochz'; did you mean 'epochs'?"),
        ("training.epochs.x=3", "--set training.epochs.x=3: 'x' lies below 2, which is not a block"),
        ("tasks.1.weight=2", "--set tasks.1.weight=2: '1' is not an index of a list of 1 (counted from 0)"),
        ("tasks.first.weight=2", "--set tasks.first.weight=2: 'first' is not an index of a list of 1"),
        ("tasks.-1.weight=2", "--set tasks.-1.weight=2: '-1' is not an index of a list"),
        ("backbone={type: mlp", "the value '{type: mlp' is not valid YAML"),
        ("backbone=identiy", "--set backbone.type: unknown backbone 'identiy'; did you mean 'identity'?"),
        ("bakbone.type=mlp", "--set bakbone.type: unknown key 'bakbone'; did you mean 'backbone'?"),
        (
            "schedule.warmpu=0.1",
            "--set schedule.warmpu: unknown key 'warmpu'; did you mean 'warmup'? (keys of type 'co",
        ),
        (
            "weighting.temperature=2",
            "--set weighting.temperature: unknown key 'temperature' (keys of type 'sum': type)",
        ),
        ("split.folds=3", "--set split.folds: unknown key 'folds' (keys of type 'random': "),
        ("tasks.0.mask.label=[a]", "--set tasks.0.mask.label: unknown key 'label'; did you mean 'labels'?"),
        ("training..epochs=3", "--set training..epochs: unknown key ''"),
        ("version=9", "--set version: expected 1, found 9"),
        ("plugins=[no.py]", "--set plugins: plugin 'no.py': no such file: "),
    ],
)
def test_invalid_override_is_reported(override: str, message: str, toy_experiment: Path) -> None:
    assert load_error(toy_experiment, override).startswith(message)


def test_set_starts_with_the_default_type_of_a_missing_block(write_variant: Variant) -> None:
    changes = [
        ("optimizer: {type: adam, lr: 0.01}\n", ""),
        ("split: {type: random, validation: 0.25}\n", ""),
        ("    kind: {type: classification, metrics: [accuracy]}\n", ""),
    ]
    config = load_experiment(
        write_variant(*changes, extra_text="schedule:\n"),
        [
            "optimizer.lr=0.5",
            "split.validation=0.3",
            "schedule.warmup=0.1",
            "weighting.type=uncertainty",
            "tasks.0.kind.classes=[a, b]",
        ],
    ).config
    assert (config.optimizer.type, config.optimizer.model_dump()["lr"]) == ("adam", 0.5)
    assert (config.split.type, config.split.model_dump()["validation"]) == ("stratified", 0.3)
    assert (config.schedule.type, config.schedule.model_dump()["warmup"]) == ("constant", 0.1)
    assert config.weighting.type == "uncertainty"
    assert config.tasks[0].kind.model_dump()["classes"] == ["a", "b"]


def test_block_without_a_default_type_still_needs_one(write_variant: Variant) -> None:
    path = write_variant(("encoder: {type: array, standardise: false}\n", ""))
    assert load_error(path, "encoder.standardise=true").startswith(
        "--set encoder.standardise: expected an encoder: a block with `type:`, one of array, "
    )


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("training.lr", "; did you mean 'optimizer.lr'? (keys here: "),
        ("lr", "; did you mean 'optimizer.lr'? (keys here: "),
        ("training.learning_rate", "; did you mean 'optimizer.lr'? (keys here: "),
        ("training.device", "; the device is chosen automatically; set CUDA_VISIBLE_DEVICES (keys here: "),
        ("device", "; the device is chosen automatically; set CUDA_VISIBLE_DEVICES (keys here: "),
        ("batch_size", "; did you mean 'training.batch_size'? (keys here: "),
        ("epochs", "; did you mean 'training.epochs'? (keys here: "),
        ("training.seed", "; did you mean 'seed'? (keys here: "),
        ("optimizer.epochs", "; did you mean 'training.epochs'? (keys of type 'adam': "),
        ("scheduler", "; did you mean 'schedule'? (keys here: "),
        ("tasks.0.loss", "; did you mean 'tasks.0.kind.loss'? (keys here: "),
        ("backbone.epochs", " (keys of type 'mlp': "),
    ],
)
def test_guessed_key_gets_a_hint(key: str, hint: str, toy_experiment: Path) -> None:
    name = key.rpartition(".")[2]
    assert load_error(toy_experiment, f"{key}=3").startswith(f"--set {key}: unknown key '{name}'{hint}")


yaml_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words | st.sampled_from(["mlp", "a\0b", "~nobody/x"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(words | st.integers(), children, max_size=3),
    max_leaves=5,
)
key_paths = st.sampled_from(
    [
        *(
            "name",
            "seed",
            "version",
            "data",
            "data.extra_file",
            "data.type",
            "data_sets",
            "split",
            "encoder",
            "heads",
        ),
        *(
            "backbone.hidden_dims",
            "backbone.type",
            "tasks",
            "tasks.0",
            "tasks.0.each",
            "tasks.0.kind",
            "tasks.0.head",
        ),
        *(
            "tasks.0.kind.metrics",
            "tasks.0.mask.labels",
            "optimizer.lr",
            "training",
            "training.select",
            "training.lr",
        ),
        *("active_tasks", "auxiliary", "init_from", "weighting", "schedule", "interactions", "trackers", "sweep"),
        *("sweep.space", "training.lr_multipliers", "unknown", "init_from.run"),
    ]
)


def load_or_reject(path: Path, overrides: list[str] | None = None) -> None:
    """Load an experiment; any exception except `MtlError` is a bug."""
    try:
        check_inputs(load_experiment(path, overrides or []))
    except MtlError as error:
        assert str(error)  # noqa: PT017


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_damaged_file_is_loaded_or_rejected(toy_experiment: Path, data: st.DataObject) -> None:
    content = bytearray(toy_experiment.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(content)))
        stop = start + data.draw(st.integers(0, 4))
        tokens = st.sampled_from(
            [b"!!int ", b"!!set ", b"&a ", b"*a", b"<<: ", b"? ", b"\t", b"\x01", b"\xff", b"\n", b"- "]
        )
        content[start:stop] = data.draw(
            tokens | st.binary(max_size=4) | st.sampled_from(list(b"{}[]:,'\"#|>%@~")).map(lambda c: bytes([c]))
        )
    path = toy_experiment.with_name("damaged.yaml")
    path.write_bytes(content)
    load_or_reject(path)


@given(st.dictionaries(key_paths, yaml_values, min_size=1, max_size=3))
@settings(max_examples=80, deadline=None)
def test_any_value_is_accepted_or_rejected(toy_experiment: Path, changes: dict[str, Any]) -> None:
    value = read_yaml(toy_experiment).value
    for key, item in changes.items():
        with contextlib.suppress(MtlError):  # a key below a value that is not a block
            set_value(value, key, item, "")
    path = toy_experiment.with_name("changed.yaml")
    path.write_text(dump_yaml(value), encoding="utf-8", errors="surrogateescape")
    load_or_reject(path)


# Paths


def test_relative_paths_start_at_the_file_or_the_working_directory(
    write_variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    working_dir = tmp_path / "elsewhere"
    working_dir.mkdir()
    path = write_variant(("examples: 48", "extra_file: sub/a.txt"))
    monkeypatch.chdir(working_dir)

    def load_extra_file(experiment: str | Path, *overrides: str) -> object:
        return load_experiment(experiment, overrides).config.loaders["data"].model_dump()["extra_file"]

    assert load_extra_file(path) == tmp_path / "sub" / "a.txt"
    assert load_extra_file("../variant.yaml") == tmp_path / "sub" / "a.txt"
    assert load_extra_file(path, "data.extra_file=../b.txt") == tmp_path / "b.txt"
    assert load_extra_file(path, "data={type: numbers, extra_file: b.txt}") == working_dir / "b.txt"
    assert load_extra_file(path, "data.extra_file=/c.txt") == Path("/c.txt")
    assert load_extra_file(path, "data.extra_file=null") is None


def test_missing_file_is_reported_before_the_run(
    write_variant: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    working_dir = tmp_path / "here"
    working_dir.mkdir()
    (working_dir / "train.txt").touch()
    monkeypatch.chdir(working_dir)
    path = write_variant(("examples: 48", "extra_file: train.txt"))
    with pytest.raises(MtlError) as excinfo:
        check_inputs(load_experiment(path))
    assert str(excinfo.value) == f"{path}:2: data.extra_file: no such file: {tmp_path / 'train.txt'}"
    with pytest.raises(MtlError) as excinfo:
        check_inputs(load_experiment(path, ["data.extra_file=trian.txt"]))
    assert str(excinfo.value) == (
        f"--set data.extra_file: no such file: {working_dir / 'trian.txt'}; did you mean 'train.txt'?"
    )
    with pytest.raises(MtlError) as excinfo:
        check_inputs(load_experiment(path, ["data.extra_file=."]))
    assert str(excinfo.value) == f"--set data.extra_file: expected a file, found a folder: {working_dir}"
    with pytest.raises(MtlError, match=r"the folder .*/gone does not exist"):
        check_inputs(load_experiment(path, ["data.extra_file=gone/train.txt"]))
    check_inputs(load_experiment(path, ["data.extra_file=train.txt"]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ('data.extra_file="a\\0b"', "--set data.extra_file: not a valid path: embedded null byte"),
        ("data.extra_file=~nobody-here/x", "--set data.extra_file: not a valid path: Could not determine home"),
        (f"data.extra_file={'x' * 300}", "--set data.extra_file: "),
        ('plugins=["a\\0b.py"]', "--set plugins: plugin 'a\\x00b.py': not a valid path: embedded null byte"),
    ],
)
def test_path_that_cannot_exist_is_refused(override: str, message: str, toy_experiment: Path) -> None:
    with pytest.raises(MtlError) as excinfo:
        check_inputs(load_experiment(toy_experiment, [override]))
    assert str(excinfo.value).startswith(message)


# Serialisation


def test_resolved_config_is_complete_and_loads_to_the_same(toy_experiment: Path, tmp_path: Path) -> None:
    config = load_experiment(toy_experiment).config
    text = dump_config(config)
    value = read_yaml(write_yaml_file(tmp_path, text)).value
    assert value["version"] == 1
    assert value["training"]["precision"] == "fp32"
    assert value["optimizer"]["betas"] == [0.9, 0.999]
    assert value["tasks"][0]["kind"]["loss"] == {"type": "cross-entropy", "label_smoothing": 0.0}
    reloaded = load_experiment(tmp_path / "e.yaml").config
    assert reloaded == config
    assert dump_config(reloaded) == text


def test_plugin_paths_are_written_as_absolute_paths(
    toy_experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_experiment(toy_experiment).config
    assert config.plugins == [str(toy_experiment.with_name("toy_loader.py"))]
    path = write_yaml_file(tmp_path, dump_config(config))
    monkeypatch.chdir(tmp_path)
    assert load_experiment(path).config == config
    monkeypatch.chdir(toy_experiment.parent)
    text_without_plugins = toy_experiment.read_text().replace("plugins: [toy_loader.py]\n", "")
    config_with_plugin = load_experiment(
        write_yaml_file(tmp_path, text_without_plugins), ["name=toy"], ["toy_loader.py"]
    ).config
    assert config_with_plugin == config


positive = st.floats(min_value=1e-300, allow_infinity=False, exclude_min=False)
rate = st.floats(min_value=0, max_value=1, exclude_max=True)


@st.composite
def draw_experiments(draw: st.DrawFn) -> dict[str, Any]:
    classes = draw(st.lists(words, min_size=2, max_size=4, unique=True))
    return {
        "name": draw(words.filter(lambda name: "/" not in name and "\\" not in name)),
        "seed": draw(st.integers(0, 2**63 - 1)),
        "data": {"type": "numbers", "extra_file": "/data/" + draw(st.sampled_from(["a", "no", "ü b", "1"]))},
        "split": {"type": "k-fold", "split_seed": draw(st.none() | st.integers(0, 2**70))},
        "encoder": {"type": "array", "standardise": draw(st.booleans())},
        "backbone": draw(
            st.sampled_from(["mlp", "identity"])
            | st.fixed_dictionaries(
                {"type": st.just("mlp"), "hidden_dims": st.lists(st.integers(1, 2**40), min_size=1, max_size=3)}
            )
        ),
        "tasks": [
            {
                "name": name,
                "label": draw(st.none() | words),
                "head": {"type": "linear", "dropout": draw(rate)},
                "weight": draw(st.floats(min_value=0, allow_infinity=False, allow_nan=False)),
                "kind": {
                    "type": "classification",
                    "classes": classes,
                    "class_weights": {
                        "type": "explicit",
                        "values": draw(st.dictionaries(words, positive, max_size=2)),
                    },
                },
                "mask": {"type": "exclude-labels", "labels": draw(st.lists(words, max_size=2))},
            }
            for name in draw(st.lists(words, min_size=1, max_size=2, unique=True))
        ],
        "optimizer": {"type": "adamw", "lr": draw(positive)},
        "training": {"max_grad_norm": draw(st.none() | positive), "select": {"metric": draw(words)}},
    }


@given(draw_experiments(), st.integers(0, 2**32))
@settings(max_examples=40, deadline=None)
def test_any_config_round_trips(
    tmp_path_factory: pytest.TempPathFactory, toy_plugin: Path, value: dict[str, Any], number: int
) -> None:
    value["plugins"] = [str(toy_plugin)]
    registry = Registry(load_plugins(value["plugins"]))
    config = ExperimentConfig.model_validate(value, context={"registry": registry})
    text = dump_config(config)
    path = tmp_path_factory.getbasetemp() / "round.yaml"
    path.write_text(text, encoding="utf-8")
    reloaded = load_experiment(path).config
    assert reloaded == config
    assert dump_config(reloaded) == text
    # The order of keys has no effect.
    keys = list(value)
    random.Random(number).shuffle(keys)
    path.write_text(dump_yaml({key: value[key] for key in keys}), encoding="utf-8")
    assert load_experiment(path).config == config


# Tasks


def load_task_entries(path: Path, tasks: str) -> list[NamedTask | TaskPattern]:
    return list(load_experiment(path, [f"tasks={tasks}"]).config.tasks)


def test_derived_entry_matches_every_remaining_column(toy_experiment: Path) -> None:
    task_entries = load_task_entries(
        toy_experiment,
        "[{name: taste, label: food, head: linear}, {each: 's*', head: {type: linear, dropout: 0.5}},"
        " {each: '*', head: linear}]",
    )
    tasks = resolve_tasks(task_entries, {"data": ["food", "service", "price", "speed"]})
    assert [(task.name, task.column, task.head.model_dump()["dropout"]) for task in tasks] == [
        ("taste", "food", 0.0),  # a task of another name does not exclude its column from `each`
        ("service", "service", 0.5),
        ("speed", "speed", 0.5),
        ("food", "food", 0.0),
        ("price", "price", 0.0),
    ]


def test_two_tasks_can_learn_one_column(toy_experiment: Path) -> None:
    task_entries = load_task_entries(
        toy_experiment, "[{name: a, label: food, head: linear}, {name: b, label: food, head: {type: linear}}]"
    )
    assert [task.column for task in resolve_tasks(task_entries, {"data": ["food"]})] == ["food", "food"]


def test_duplicate_task_names_are_refused_with_their_location(write_variant: Variant, toy_experiment: Path) -> None:
    path = write_variant(('  - each: "*"\n', "  - {name: a, head: linear}\n  - name: a\n"))
    assert load_error(path) == f"{path}:6: tasks: two tasks are named 'a'; task names must differ"
    task_entries = load_task_entries(
        toy_experiment, "[{name: food, label: price, head: linear}, {each: '*', head: linear}]"
    )
    names = [task.name for task in resolve_tasks(task_entries, {"data": ["food", "price"]})]
    assert names == ["food", "price"]  # the derived task is dropped


def test_unknown_column_is_reported_with_the_nearest_name(toy_experiment: Path) -> None:
    columns = {"data": ["food", "price"]}
    with pytest.raises(MtlError) as excinfo:
        resolve_tasks(load_task_entries(toy_experiment, "[{name: a, label: fod, head: linear}]"), columns)
    assert str(excinfo.value) == (
        "task 'a': the data has no label column 'fod'; did you mean 'food'? (columns: food, price)"
    )
    with pytest.raises(MtlError, match=r"no label column matches 'z\*' \(columns: food, price\)"):
        resolve_tasks(load_task_entries(toy_experiment, "[{each: 'z*', head: linear}]"), columns)


def test_entry_is_either_named_or_derived(toy_experiment: Path) -> None:
    assert "unknown key 'name'" in load_error(toy_experiment, "tasks=[{each: a, name: b, head: linear}]")
    assert "tasks.0.name: required, but missing" in load_error(toy_experiment, "tasks=[{head: linear}]")
    assert "expected a list of at least 1 item, found 0" in load_error(toy_experiment, "tasks=[]")
