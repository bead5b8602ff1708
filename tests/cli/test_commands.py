"""The contract of each command: exit codes, files, formats, speed."""

import csv
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from jsonschema import Draft7Validator

from mtl_core.artifacts.history import EpochRecord
from mtl_core.config.json_schema import build_experiment_schema
from mtl_core.config.load import dump_config, load_experiment
from mtl_core.config.yaml_file import parse_scalar, read_yaml
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry
from mtl_core.runs.run import run_experiment
from mtl_core.training.callback import NullCallback

pytestmark = pytest.mark.usefixtures("shared_pipelines")

Mtl = Callable[..., CompletedProcess[str]]
TASKS = {"food", "service", "price"}
CLASSES = ["positive", "negative"]
TEXTS = ["The soup was lovely.", "A grim waiter!", "Bill."]


def read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def parse_json_lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# mtl run


def test_run_writes_all_files(experiment: Path, tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "deep" / "run"
    result = mtl("run", experiment, "--out", out, "--set", "training.epochs=1")
    assert result.returncode == 0
    assert "tiny: test" in result.stdout
    assert f"run directory: {out}" in result.stdout
    assert {path.name for path in out.iterdir()} == {
        "MODEL_CARD.md",
        "config.yaml",
        "history.csv",
        "metrics.json",
        "mistakes.jsonl",
        "model.safetensors",
        "outputs.safetensors",
        "predictions.jsonl",
        "provenance.json",
        "report.html",
        "state.json",
    }


def test_metrics_have_the_documented_keys(trained_run: Path) -> None:
    metrics = read_json(trained_run / "metrics.json")
    assert (metrics["experiment"], metrics["seed"]) == ("tiny", 42)
    assert metrics["data"]["examples"] == {"train": 54, "validation": 18, "test": 24}
    for split_name, examples in metrics["data"]["examples"].items():
        counts = metrics["data"]["label_counts"][split_name]
        assert set(counts) == TASKS
        assert all(sum(count.values()) == examples for count in counts.values())
        assert all(list(count) == [*CLASSES, "absent"] for count in counts.values())
    assert set(metrics["splits"]) == {"validation", "test"}
    assert {"load_s", "encode_s", "train_s", "evaluate_s", "train_examples_per_s"} <= set(metrics["timing"])
    assert all(isinstance(value, float) and value >= 0 for value in metrics["timing"].values())


def test_metrics_are_consistent_with_the_predictions(trained_run: Path) -> None:
    metrics = read_json(trained_run / "metrics.json")
    scores = metrics["splits"]["test"]
    records = parse_json_lines((trained_run / "predictions.jsonl").read_text(encoding="utf-8"))
    assert set(scores["tasks"]) == TASKS
    for name, score in scores["tasks"].items():
        label_pairs = [
            (r["tasks"][name]["gold"], r["tasks"][name]["label"]) for r in records if "gold" in r["tasks"][name]
        ]
        valid_pairs = [(gold, label) for gold, label in label_pairs if gold != "absent"]
        assert score["n"] == len(valid_pairs) > 0
        assert score["correct"] == sum(gold == label for gold, label in valid_pairs)
        assert score["accuracy"] == pytest.approx(score["correct"] / score["n"])
        assert score["confusion"] == [[valid_pairs.count((g, p)) for p in CLASSES] for g in CLASSES]
        train = metrics["data"]["label_counts"]["train"][name]
        majority = max(CLASSES, key=lambda label: train[label])
        assert score["majority_accuracy"] == pytest.approx(
            sum(gold == majority for gold, _ in valid_pairs) / len(valid_pairs)
        )
        assert 0 <= score["macro_f1"] <= 1
    overall = scores["overall"]
    assert overall["n"] == sum(score["n"] for score in scores["tasks"].values())
    assert overall["correct"] == sum(score["correct"] for score in scores["tasks"].values())
    assert overall["accuracy"] == pytest.approx(overall["correct"] / overall["n"])
    assert "majority_accuracy" in overall


def test_predictions_have_one_line_per_example(trained_run: Path, reviews: Path) -> None:
    records = parse_json_lines((trained_run / "predictions.jsonl").read_text(encoding="utf-8"))
    assert [record["id"] for record in records] == [str(number) for number in range(1, 25)]
    texts = re.findall("<text>(.*)</text>", (reviews / "test.xml").read_text())
    assert [record["text"] for record in records] == texts
    for record in records:
        assert set(record["tasks"]) == TASKS
        for task in record["tasks"].values():
            assert list(task["probabilities"]) == CLASSES
            assert sum(task["probabilities"].values()) == pytest.approx(1, abs=1e-5)
            assert task["label"] == max(task["probabilities"], key=task["probabilities"].get)
            assert task["gold"] in (*CLASSES, "absent")


def test_config_of_a_run_reproduces_it(trained_run: Path, experiment: Path) -> None:
    text = (trained_run / "config.yaml").read_text(encoding="utf-8")
    config = load_experiment(trained_run / "config.yaml").config
    assert config == load_experiment(experiment).config
    assert dump_config(config) == text


def test_history_has_one_line_per_epoch(trained_run: Path) -> None:
    rows = list(csv.DictReader(io.StringIO((trained_run / "history.csv").read_text(encoding="utf-8"))))
    assert [(row["stage"], row["epoch"]) for row in rows] == [("selection", "1"), ("selection", "2")]
    for row in rows:
        for name in TASKS:
            assert float(row[f"train.{name}.loss"]) > 0
            assert 0 <= float(row[f"validation.{name}.accuracy"]) <= 1
        assert float(row["learning_rate"]) == 0.01
        assert 0 <= float(row["validation.overall.accuracy"]) <= 1


def test_seed_plugin_and_default_output_directory(
    toy_experiment: Path, toy_plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mtl: Mtl
) -> None:
    config_path = tmp_path / "bare.yaml"
    config_path.write_text(toy_experiment.read_text().replace("plugins: [toy_loader.py]\n", ""))
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert mtl("run", config_path, "--seed", 7, "--plugin", toy_plugin).returncode == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["toy-001", "toy-002"]
    first, second = (read_json(tmp_path / "runs" / name / "metrics.json") for name in ("toy-001", "toy-002"))
    assert first["seed"] == 7
    assert first["splits"] == second["splits"]
    assert load_experiment(tmp_path / "runs" / "toy-001" / "config.yaml").config.plugins == [str(toy_plugin)]
    other = mtl("run", config_path, "--seed", 8, "--plugin", toy_plugin, "--out", tmp_path / "other")
    assert other.returncode == 0
    weights = [path / "model.safetensors" for path in (tmp_path / "runs" / "toy-001", tmp_path / "other")]
    assert weights[0].read_bytes() != weights[1].read_bytes()


# mtl resume


class CutOff(NullCallback):
    """Interrupts the run after the first epoch."""

    def on_epoch_start(self, epoch: int, epochs: int, batches: int, completed_batches: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt


def test_resumed_run_equals_an_uninterrupted_run(experiment: Path, trained_run: Path, tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(load_experiment(experiment).config, out, CutOff())
    assert not (out / "metrics.json").exists()
    run_result = mtl("run", experiment, "--out", out)
    assert run_result.returncode == 2
    assert "`mtl resume` continues it" in run_result.stderr
    predict_result = mtl("predict", out, "Soup")
    assert predict_result.returncode == 2
    assert f"continue it with `mtl resume {out}`" in predict_result.stderr
    assert mtl("resume", out).returncode == 0
    for name in ("predictions.jsonl", "history.csv", "model.safetensors", "state.json"):
        assert (out / name).read_bytes() == (trained_run / name).read_bytes(), name
    assert read_json(out / "metrics.json")["splits"] == read_json(trained_run / "metrics.json")["splits"]
    assert not list(out.glob("checkpoint*"))


def test_control_c_reports_how_to_resume(experiment: Path, tmp_path: Path, mtl_fork: Any) -> None:
    log, out = tmp_path / "log", tmp_path / "r"
    process = mtl_fork(log, "run", experiment, "--out", out, "--set", "training.epochs=100000")
    deadline = time.monotonic() + 60
    while not (out / "checkpoint.safetensors").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    process.join(60)
    log_text = log.read_text(encoding="utf-8")
    assert process.exitcode == 130
    assert f"interrupted; resume with `mtl resume {out}`" in log_text
    assert "Traceback" not in log_text
    assert not [path.name for path in out.iterdir() if path.name.startswith(".")]


class RecordingCallback(NullCallback):
    """Records the epochs."""

    def __init__(self) -> None:
        self.records: list[EpochRecord] = []

    def on_epoch_end(self, record: EpochRecord, best: bool) -> None:
        self.records.append(record)


def test_the_python_api_does_what_the_command_does(toy_experiment: Path, tmp_path: Path) -> None:
    callback = RecordingCallback()
    report = run_experiment(load_experiment(toy_experiment).config, tmp_path / "run", callback)
    assert [record.epoch for record in callback.records] == [1, 2]
    assert report.scores["test"].tasks["sign"].n == 12
    assert read_json(tmp_path / "run" / "metrics.json")["model"]["best_epoch"] == report.best_epoch


# mtl evaluate


def test_evaluate_reproduces_the_metrics_of_the_run(trained_run: Path, reviews: Path, mtl: Mtl) -> None:
    expected = read_json(trained_run / "metrics.json")["splits"]["test"]
    for options in ([], ["--data", reviews / "test.xml"]):
        result = mtl("evaluate", trained_run, "--json", *options)
        assert result.returncode == 0
        metrics = json.loads(result.stdout)
        assert metrics["examples"] == 24
        assert {key: metrics[key] for key in expected} == expected


def test_evaluate_prints_a_table(trained_run: Path, mtl: Mtl) -> None:
    result = mtl("evaluate", trained_run)
    assert result.returncode == 0
    overall = read_json(trained_run / "metrics.json")["splits"]["test"]["overall"]
    assert re.search(rf"overall +24 +{overall['majority_accuracy']:.4f} +{overall['accuracy']:.4f}", result.stdout)


def test_evaluate_prints_undefined_without_labels(
    trained_run: Path, tmp_path: Path, write_reviews: Callable[..., Path], mtl: Mtl
) -> None:
    path = write_reviews(tmp_path / "one.xml", ("Soup", {"food": "positive"}))
    assert "undefined (n=0)" in mtl("evaluate", trained_run, "--data", path).stdout
    metrics = json.loads(mtl("evaluate", trained_run, "--data", path, "--json").stdout)
    assert metrics["tasks"]["price"] == {
        "n": 0,
        "correct": 0,
        "accuracy": None,
        "majority_accuracy": None,
        "macro_f1": None,
        "baseline_macro_f1": None,
        "confusion": None,
    }
    assert metrics["overall"]["n"] == 1


# mtl predict


@pytest.fixture
def predictions(trained_run: Path, mtl: Mtl) -> list[dict[str, Any]]:
    """The predictions of the run for `TEXTS`."""
    result = mtl("predict", trained_run, *TEXTS, "--json")
    assert result.returncode == 0, result.stderr
    return parse_json_lines(result.stdout)


def test_predictions_are_in_input_order(predictions: list[dict[str, Any]]) -> None:
    assert [(prediction["id"], prediction["text"]) for prediction in predictions] == list(
        zip("123", TEXTS, strict=True)
    )
    for prediction in predictions:
        assert set(prediction["tasks"]) == TASKS
        for task in prediction["tasks"].values():
            assert set(task) == {"label", "probabilities"}
            assert sum(task["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def are_equal(records: list[dict[str, Any]], predictions: list[dict[str, Any]]) -> bool:
    """Return whether records are equal except for ids and, since batches differ, rounded probabilities."""
    return [record["text"] for record in records] == [record["text"] for record in predictions] and all(
        task["probabilities"] == pytest.approx(expected["tasks"][name]["probabilities"], abs=1e-5)
        and task["label"] == expected["tasks"][name]["label"]
        for record, expected in zip(records, predictions, strict=True)
        for name, task in record["tasks"].items()
    )


def test_predict_reads_every_input_source(
    trained_run: Path,
    tmp_path: Path,
    predictions: list[dict[str, Any]],
    write_reviews: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    mtl: Mtl,
) -> None:
    lines = "".join(f"{text}\n" for text in TEXTS)
    for options in ([], ["-"]):
        monkeypatch.setattr("sys.stdin", io.StringIO(lines))
        assert are_equal(parse_json_lines(mtl("predict", trained_run, "--json", *options).stdout), predictions)
    plain, marked, upper = tmp_path / "a.txt", tmp_path / "bom.txt", tmp_path / "A.TXT"
    plain.write_text(f"\n{lines}\n\n")
    marked.write_bytes(b"\xef\xbb\xbf" + lines.encode())
    upper.write_text(lines)
    for path in (plain, marked, upper):
        assert are_equal(parse_json_lines(mtl("predict", trained_run, "--json", "--input", path).stdout), predictions)
    records = tmp_path / "a.jsonl"
    records.write_text("".join(json.dumps({"id": f"q{text[0]}", "text": text}) + "\n" for text in TEXTS))
    read_records = parse_json_lines(mtl("predict", trained_run, "--json", "--input", records).stdout)
    assert are_equal(read_records, predictions)
    assert [record["id"] for record in read_records] == ["qT", "qA", "qB"]
    xml = write_reviews(tmp_path / "a.xml", *((text, None) for text in TEXTS))
    assert are_equal(parse_json_lines(mtl("predict", trained_run, "--json", "--input", xml).stdout), predictions)


def test_predict_reads_a_pipe_and_writes_a_file(
    trained_run: Path,
    tmp_path: Path,
    predictions: list[dict[str, Any]],
    mtl: Mtl,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out.jsonl"
    reading, writing = os.pipe()
    os.write(writing, "".join(f"{text}\n" for text in TEXTS).encode())
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        result = mtl("predict", trained_run, "--output", out)
    assert result.returncode == 0
    assert result.stdout == f"{out}: 3 predictions\n"
    assert are_equal(parse_json_lines(out.read_text(encoding="utf-8")), predictions)
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]


def test_a_labelled_file_is_predicted_with_its_gold_labels(trained_run: Path, reviews: Path, mtl: Mtl) -> None:
    records = parse_json_lines(mtl("predict", trained_run, "--json", "--input", reviews / "test.xml").stdout)
    saved_records = parse_json_lines((trained_run / "predictions.jsonl").read_text(encoding="utf-8"))
    assert are_equal(records, saved_records)
    assert [record["tasks"]["food"]["gold"] for record in records] == [
        r["tasks"]["food"]["gold"] for r in saved_records
    ]


def test_predict_prints_readable_output(trained_run: Path, predictions: list[dict[str, Any]], mtl: Mtl) -> None:
    result = mtl("predict", trained_run, TEXTS[0])
    assert result.stdout.splitlines()[0] == TEXTS[0]
    for name, task in predictions[0]["tasks"].items():
        confidence = max(task["probabilities"].values())
        assert re.search(rf"^  {name} +{task['label']}  {confidence:.2f}$", result.stdout, re.MULTILINE)


def test_attention_has_a_weight_for_each_token(trained_run: Path, mtl: Mtl) -> None:
    texts = [*TEXTS, "  two   spaces  ", "don't — “stop”!", "x " * 600, "😀", "...", "naïve café"]
    records = parse_json_lines(mtl("predict", trained_run, "--json", "--attention", *texts).stdout)
    assert len(records) == len(texts)
    assert records[0]["tokens"] == ["The", "soup", "was", "lovely", "."]
    for record in records:
        for task in record["tasks"].values():
            assert len(task["attention"]) == len(record["tokens"])
            assert math.fsum(task["attention"]) == pytest.approx(1, abs=1e-4)
            assert min(task["attention"]) >= 0
    assert "attention: " in mtl("predict", trained_run, "--attention", TEXTS[0]).stdout


def test_predict_with_an_empty_file_prints_nothing(trained_run: Path, tmp_path: Path, mtl: Mtl) -> None:
    (tmp_path / "empty.txt").write_text("\n\n")
    result = mtl("predict", trained_run, "--json", "--input", tmp_path / "empty.txt")
    assert (result.returncode, result.stdout) == (0, "")


# mtl validate, schema, plugins, help


def test_validate_describes_the_experiment(experiment: Path, mtl: Mtl) -> None:
    result = mtl("validate", experiment, "--set", "backbone=mlp")
    assert result.returncode == 0
    assert result.stdout.startswith(f"{experiment}: valid\ntiny: semeval2014 data, ")
    assert "mlp backbone" in result.stdout


def test_a_packaged_experiment_is_found_by_name(mtl: Mtl) -> None:
    result = mtl("validate", "absa-sample")
    assert result.returncode == 0
    assert "absa-sample.yaml: valid" in result.stdout


def test_packaged_experiments_and_finished_runs_fit_the_schema(trained_run: Path) -> None:
    registry = Registry(load_plugins())
    validator = Draft7Validator(build_experiment_schema(registry))
    packaged = registry.collect_experiments()
    assert "absa-sample" in packaged
    for path in packaged.values():
        value = read_yaml(path).value
        settings = []
        if "data" in value and "train" in registry.find("loaders", value["data"]["type"]).model_fields:
            # Data that cannot be packaged is named with --set.
            settings = [f"data.train={value['data'].setdefault('train', 'train.csv')}"]
        validator.validate(value)
        resolved = load_experiment(path, settings).config
        validator.validate(parse_scalar(dump_config(resolved)))
    validator.validate(read_yaml(trained_run / "config.yaml").value)


def test_schema_is_printed_or_written(experiment: Path, toy_plugin: Path, tmp_path: Path, mtl: Mtl) -> None:
    printed = json.loads(mtl("schema").stdout)
    Draft7Validator.check_schema(printed)
    path = tmp_path / "schema.json"
    result = mtl("schema", "--output", path)
    assert result.returncode == 0
    assert f"# yaml-language-server: $schema={path}" in result.stdout
    assert read_json(path) == printed
    assert "loaders.numbers" in json.loads(mtl("schema", "--plugin", toy_plugin).stdout)["$defs"]


def test_plugins_lists_every_part_with_its_owner(toy_plugin: Path, mtl: Mtl) -> None:
    lines = mtl("plugins", "--plugin", toy_plugin).stdout.splitlines()
    for hook, name, owner in (
        ("mtl_backbones", "bilstm", "absa"),
        ("mtl_backbones", "mlp", "core"),
        ("mtl_loaders", "numbers", str(toy_plugin)[:20]),
        ("mtl_experiments", "absa-sample", ""),
    ):
        assert any(line.startswith(hook) and f" {name} " in line and owner in line for line in lines), name
    assert any(line.startswith("  core: entry point 'core = mtl_core.builtins' of mtl-core") for line in lines)


def test_version_and_help(mtl: Mtl) -> None:
    assert re.fullmatch(r"mtl-core \d+\.\d+\.\d+\n", mtl("--version").stdout)
    help_result = mtl("--help")
    assert help_result.returncode == 0
    for command in ("run", "resume", "evaluate", "predict", "validate", "schema", "plugins"):
        assert command in help_result.stdout
        assert mtl(command, "--help").returncode == 0


def test_launchers_can_start_it_as_a_module() -> None:
    command = [sys.executable, "-m", "mtl_core", "--version"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.startswith("mtl-core ")


@pytest.mark.parametrize(("arguments", "seconds"), [(["--help"], 1.0), (["validate", "absa-sample"], 2.0)])
def test_commands_without_torch_start_fast(arguments: list[str], seconds: float, mtl_process: Mtl) -> None:
    """The targets are 0.5 s and 1.5 s of processor time; for busy test machines, twice that in one of 5 trials."""
    durations: list[float] = []
    while len(durations) < 5 and not any(one < seconds for one in durations):
        before = os.times()
        assert mtl_process(*arguments).returncode == 0
        after = os.times()
        durations.append(after.children_user - before.children_user + after.children_system - before.children_system)
        assert durations[-1] > 0
    assert min(durations) < seconds


def test_validate_imports_neither_torch_nor_spacy(experiment: Path) -> None:
    script = (
        "import sys\nfrom mtl_core.cli.app import main\n"
        "try:\n    main(['validate', sys.argv[1]])\nexcept SystemExit as stop:\n    assert not stop.code\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    command = [sys.executable, "-c", script, str(experiment)]
    result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    modules = set(result.stdout.splitlines()[-1].split())
    assert {"mtl_core", "absa_plugin"} <= modules
    assert not modules & {"torch", "spacy", "sklearn", "torchmetrics", "accelerate", "scipy"}


def test_closed_pipe_is_not_an_error() -> None:
    command = str(Path(sysconfig.get_path("scripts")) / "mtl")
    process = subprocess.Popen([command, "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    errors = process.stderr.read().decode()
    process.wait(timeout=30)
    process.stderr.close()
    assert "Traceback" not in errors
