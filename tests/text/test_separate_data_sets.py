"""Tests of the packaged experiment `separate-data-sets` through the command line: tasks with separate data sets."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from jsonschema import Draft7Validator

import mtl_text
from mtl_core.config.json_schema import build_experiment_schema
from mtl_core.config.load import dump_config, load_experiment
from mtl_core.config.yaml_file import parse_scalar, read_yaml
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry
from mtl_core.runs.run import run_experiment
from mtl_core.training.callback import NullCallback

pytestmark = pytest.mark.usefixtures("placeholder_reports")

Mtl = Callable[..., CompletedProcess[str]]
FOLDER = Path(mtl_text.__file__).parent
SAMPLE = FOLDER / "sample"
REQUEST_CLASSES = ["complaint", "praise", "question", "request"]
COLUMNS = {"messages": ["topic", "sentiment"], "requests": ["topic", "wants"]}
FILES = {"messages": ("train.csv", "test.csv"), "requests": ("requests-train.csv", "requests-test.csv")}
QUICK = ["training.epochs=3", "training.refit=false"]


def read_rows(name: str) -> list[dict[str, str]]:
    with (SAMPLE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def read_test_predictions(run: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    return [record for record in records if record["split"] == "test"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, mtl_uncaptured: Mtl) -> Path:
    """A short run."""
    path = tmp_path_factory.mktemp("runs") / "own"
    settings = [word for setting in QUICK for word in ("--set", setting)]
    result = mtl_uncaptured("run", "separate-data-sets", "--out", path, *settings)
    assert result.returncode == 0, result.stderr
    output = result.stdout + result.stderr
    assert output.count("sample data, written for this project") == 1, "one notice for both data sets"
    return path


# ── the sample data ──


def test_requests_have_four_classes_and_no_duplicates() -> None:
    train, test = read_rows("requests-train.csv"), read_rows("requests-test.csv")
    assert Counter(row["wants"] for row in train) == {"complaint": 31, "praise": 28, "question": 34, "request": 33}
    assert Counter(row["wants"] for row in test) == {"complaint": 10, "praise": 9, "question": 11, "request": 10}
    files = [name for names in FILES.values() for name in names]
    texts = [" ".join(row["text"].lower().split()) for name in files for row in read_rows(name)]
    assert len(texts) == len(set(texts)) == 916


# ── the experiment ──


def test_experiment_is_valid_and_available(mtl: Mtl) -> None:
    valid = mtl("validate", "separate-data-sets")
    assert valid.returncode == 0, valid.stderr
    assert "messages (table), requests (table) data" in valid.stdout
    assert "separate-data-sets" in mtl("plugins").stdout
    validator = Draft7Validator(build_experiment_schema(Registry(load_plugins())))
    validator.validate(read_yaml(FOLDER / "experiments" / "separate-data-sets.yaml").value)
    validator.validate(parse_scalar(dump_config(load_experiment("separate-data-sets").config)))


# ── the run ──


def test_label_counts_per_task_and_data_set(run: Path) -> None:
    data = read_json(run / "metrics.json")["data"]
    assert sum(data["examples"].values()) == 916
    counts = data["label_counts"]
    for task, names in (("sentiment", ["messages"]), ("topic", ["messages", "requests"]), ("wants", ["requests"])):
        training, test = (
            Counter(row[task] for name in names for row in read_rows(FILES[name][index]) if row[task])
            for index in (0, 1)
        )
        assert Counter(counts["train"][task]) + Counter(counts["validation"][task]) == training
        assert counts["test"][task] == test


def test_examples_have_labels_of_their_data_set_and_predictions_of_all_tasks(run: Path) -> None:
    expected = {
        f"{name}/{number}": {column: row[column] for column in COLUMNS[name] if row[column]}
        for name, (_, file) in FILES.items()
        for number, row in enumerate(read_rows(file), start=1)
    }
    labels = {}
    for record in read_test_predictions(run):
        assert record["tasks"].keys() == {"sentiment", "topic", "wants"}
        labels[record["id"]] = {
            name: prediction["gold"] for name, prediction in record["tasks"].items() if "gold" in prediction
        }
    assert labels == expected


def test_metrics_per_data_set_add_up_to_the_total(run: Path, mtl: Mtl) -> None:
    run_metrics = read_json(run / "metrics.json")["splits"]["test"]["tasks"]
    evaluation = mtl("evaluate", run, "--json")
    assert json.loads(evaluation.stdout)["tasks"] == run_metrics
    metrics = {}
    for name, (_, file) in FILES.items():
        result = mtl("evaluate", run, "--data", SAMPLE / file, "--data-set", name, "--json")
        assert result.returncode == 0, result.stderr
        metrics[name] = json.loads(result.stdout)["tasks"]
    assert metrics["messages"]["wants"]["n"] == metrics["requests"]["sentiment"]["n"] == 0
    assert metrics["messages"]["sentiment"] == run_metrics["sentiment"]
    assert metrics["requests"]["wants"] == run_metrics["wants"]
    for key in ("n", "correct"):
        assert metrics["messages"]["topic"][key] + metrics["requests"]["topic"][key] == run_metrics["topic"][key]


def test_file_requires_the_name_of_its_data_set(run: Path, mtl: Mtl) -> None:
    file = SAMPLE / "requests-test.csv"
    nameless = mtl("evaluate", run, "--data", file)
    assert nameless.returncode == 2
    assert (
        "name the one that the file belongs to with --data-set NAME (data sets: messages, requests)" in nameless.stderr
    )
    misspelt = mtl("evaluate", run, "--data", file, "--data-set", "request")
    assert misspelt.returncode == 2
    assert "unknown data set 'request'; did you mean 'requests'?" in misspelt.stderr


@pytest.mark.parametrize("name", FILES)
def test_predictions_for_a_file_equal_those_of_the_run(name: str, run: Path, mtl: Mtl) -> None:
    result = mtl("predict", run, "--input", SAMPLE / FILES[name][1], "--data-set", name, "--json")
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    run_records = [record for record in read_test_predictions(run) if record["id"].startswith(f"{name}/")]
    assert [record["text"] for record in records] == [record["text"] for record in run_records]
    for record, run_record in zip(records, run_records, strict=True):
        assert f"{name}/{record['id']}" == run_record["id"]
        for task, prediction in record["tasks"].items():
            assert prediction.get("gold") == run_record["tasks"][task].get("gold")
            assert prediction["probabilities"] == pytest.approx(run_record["tasks"][task]["probabilities"], abs=1e-5)


def test_new_text_has_predictions_of_all_tasks(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    text = "Please send me two tickets for the match."
    (tmp_path / "new.jsonl").write_text(json.dumps({"id": "n1", "text": text}) + "\n", encoding="utf-8")
    argument_result = mtl("predict", run, "--json", text)
    file_result = mtl("predict", run, "--json", "--data-set", "requests", "--input", tmp_path / "new.jsonl")
    [argument_record], [file_record] = (
        [json.loads(line) for line in result.stdout.splitlines()] for result in (argument_result, file_result)
    )
    assert argument_record["tasks"] == file_record["tasks"]
    assert (file_record["id"], file_record["text"]) == ("n1", text)
    assert list(argument_record["tasks"]["wants"]["probabilities"]) == REQUEST_CLASSES


class InterruptingCallback(NullCallback):
    """Callback that interrupts the run at the second epoch, in the middle of a pass over each data set."""

    def on_epoch_start(self, epoch: int, epochs: int, batches: int, completed_batches: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt


def test_resumed_run_is_bit_identical(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(load_experiment("separate-data-sets", QUICK).config, out, InterruptingCallback())
    assert not (out / "metrics.json").exists()
    resumed = mtl("resume", out)
    assert resumed.returncode == 0, resumed.stderr
    for name in ("predictions.jsonl", "history.csv", "model.safetensors"):
        assert (out / name).read_bytes() == (run / name).read_bytes(), name


@pytest.mark.slow
def test_every_task_reaches_its_accuracy(tmp_path: Path) -> None:
    run_experiment(load_experiment("separate-data-sets", ["training.refit=false"]).config, tmp_path / "run")
    tasks = read_json(tmp_path / "run" / "metrics.json")["splits"]["test"]["tasks"]
    assert tasks["wants"]["majority_accuracy"] == pytest.approx(11 / 40)
    assert tasks["wants"]["accuracy"] > 0.45
    assert tasks["topic"]["accuracy"] > 0.7
    assert tasks["sentiment"]["accuracy"] > 0.65
