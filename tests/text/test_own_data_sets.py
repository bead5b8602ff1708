"""Tests of the packaged experiment `own-data-sets` through the command line: tasks with separate data sets."""

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
from mtl_core.config.load import dump_config, load_experiment
from mtl_core.config.schema import experiment_schema
from mtl_core.config.yaml_file import parse_scalar, read_yaml
from mtl_core.plugins import load_plugins
from mtl_core.registry import Registry
from mtl_core.runs.run import SilentView, run_experiment

Mtl = Callable[..., CompletedProcess[str]]
FOLDER = Path(mtl_text.__file__).parent
SAMPLE = FOLDER / "sample"
WANTS = ["complaint", "praise", "question", "request"]
COLUMNS = {"messages": ["topic", "sentiment"], "requests": ["topic", "wants"]}
FILES = {"messages": ("train.csv", "test.csv"), "requests": ("requests-train.csv", "requests-test.csv")}
QUICK = ["training.epochs=3", "training.refit=false"]


def rows(name: str) -> list[dict[str, str]]:
    with (SAMPLE / name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def json_of(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def records_of(run: Path) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    return [record for record in records if record["split"] == "test"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, mtl_early: Mtl) -> Path:
    """A short run."""
    path = tmp_path_factory.mktemp("runs") / "own"
    settings = [word for setting in QUICK for word in ("--set", setting)]
    result = mtl_early("run", "own-data-sets", "--out", path, *settings)
    assert result.returncode == 0, result.stderr
    said = result.stdout + result.stderr
    assert said.count("sample data, written for this project") == 1, "one notice for both data sets"
    return path


# ── the sample data ──


def test_letters_are_of_four_sorts_and_none_is_a_message_too() -> None:
    train, test = rows("requests-train.csv"), rows("requests-test.csv")
    assert Counter(row["wants"] for row in train) == {"complaint": 31, "praise": 28, "question": 34, "request": 33}
    assert Counter(row["wants"] for row in test) == {"complaint": 10, "praise": 9, "question": 11, "request": 10}
    files = [name for names in FILES.values() for name in names]
    texts = [" ".join(row["text"].lower().split()) for name in files for row in rows(name)]
    assert len(texts) == len(set(texts)) == 916


# ── the experiment ──


def test_it_is_valid_and_listed(mtl: Mtl) -> None:
    valid = mtl("validate", "own-data-sets")
    assert valid.returncode == 0, valid.stderr
    assert "messages (table), requests (table) data" in valid.stdout
    assert "own-data-sets" in mtl("plugins").stdout
    validator = Draft7Validator(experiment_schema(Registry(load_plugins())))
    validator.validate(read_yaml(FOLDER / "experiments" / "own-data-sets.yaml").value)
    validator.validate(parse_scalar(dump_config(load_experiment("own-data-sets").config)))


# ── the run ──


def test_each_task_counts_the_labels_of_its_own_data_sets(run: Path) -> None:
    data = json_of(run / "metrics.json")["data"]
    assert sum(data["examples"].values()) == 916
    counts = data["label_counts"]
    for task, names in (("sentiment", ["messages"]), ("topic", ["messages", "requests"]), ("wants", ["requests"])):
        training, test = (
            Counter(row[task] for name in names for row in rows(FILES[name][place]) if row[task])
            for place in (0, 1)
        )
        assert Counter(counts["train"][task]) + Counter(counts["validation"][task]) == training
        assert counts["test"][task] == test


def test_an_example_has_the_labels_of_its_own_data_set_and_answers_of_every_task(run: Path) -> None:
    expected = {
        f"{name}/{number}": {column: row[column] for column in COLUMNS[name] if row[column]}
        for name, (_, file) in FILES.items()
        for number, row in enumerate(rows(file), start=1)
    }
    found = {}
    for record in records_of(run):
        assert record["tasks"].keys() == {"sentiment", "topic", "wants"}
        found[record["id"]] = {name: one["gold"] for name, one in record["tasks"].items() if "gold" in one}
    assert found == expected


def test_the_parts_of_the_test_data_add_up_to_the_whole(run: Path, mtl: Mtl) -> None:
    whole = json_of(run / "metrics.json")["splits"]["test"]["tasks"]
    again = mtl("evaluate", run, "--json")
    assert json.loads(again.stdout)["tasks"] == whole
    parts = {}
    for name, (_, file) in FILES.items():
        result = mtl("evaluate", run, "--data", SAMPLE / file, "--data-set", name, "--json")
        assert result.returncode == 0, result.stderr
        parts[name] = json.loads(result.stdout)["tasks"]
    assert parts["messages"]["wants"]["n"] == parts["requests"]["sentiment"]["n"] == 0
    assert parts["messages"]["sentiment"] == whole["sentiment"]
    assert parts["requests"]["wants"] == whole["wants"]
    for key in ("n", "correct"):
        assert parts["messages"]["topic"][key] + parts["requests"]["topic"][key] == whole["topic"][key]


def test_a_file_needs_the_name_of_its_data_set(run: Path, mtl: Mtl) -> None:
    file = SAMPLE / "requests-test.csv"
    nameless = mtl("evaluate", run, "--data", file)
    assert nameless.returncode == 2
    assert (
        "name the one that the file belongs to with --data-set NAME (data sets: messages, requests)"
        in nameless.stderr
    )
    misspelt = mtl("evaluate", run, "--data", file, "--data-set", "request")
    assert misspelt.returncode == 2
    assert "unknown data set 'request'; did you mean 'requests'?" in misspelt.stderr


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_predicted_as_the_run_predicted_it(name: str, run: Path, mtl: Mtl) -> None:
    result = mtl("predict", run, "--input", SAMPLE / FILES[name][1], "--data-set", name, "--json")
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    known = [record for record in records_of(run) if record["id"].startswith(f"{name}/")]
    assert [record["text"] for record in records] == [record["text"] for record in known]
    for record, before in zip(records, known, strict=True):
        assert f"{name}/{record['id']}" == before["id"]
        for task, said in record["tasks"].items():
            assert said.get("gold") == before["tasks"][task].get("gold")
            assert said["probabilities"] == pytest.approx(before["tasks"][task]["probabilities"], abs=1e-5)


def test_a_new_text_is_answered_by_the_tasks_of_all_data_sets(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    text = "Please send me two tickets for the match."
    (tmp_path / "new.jsonl").write_text(json.dumps({"id": "n1", "text": text}) + "\n", encoding="utf-8")
    typed = mtl("predict", run, "--json", text)
    read = mtl("predict", run, "--json", "--data-set", "requests", "--input", tmp_path / "new.jsonl")
    [one], [two] = ([json.loads(line) for line in result.stdout.splitlines()] for result in (typed, read))
    assert one["tasks"] == two["tasks"]
    assert (two["id"], two["text"]) == ("n1", text)
    assert list(one["tasks"]["wants"]["probabilities"]) == WANTS


class CutOff(SilentView):
    """Callback that interrupts the run at the second epoch, in the middle of a pass over each data set."""

    def epoch_started(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt


def test_a_run_that_was_cut_off_goes_on_to_the_same_bits(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(load_experiment("own-data-sets", QUICK).config, out, CutOff())
    assert not (out / "metrics.json").exists()
    resumed = mtl("resume", out)
    assert resumed.returncode == 0, resumed.stderr
    for name in ("predictions.jsonl", "history.csv", "model.safetensors"):
        assert (out / name).read_bytes() == (run / name).read_bytes(), name


@pytest.mark.slow
def test_every_task_is_learned(tmp_path: Path) -> None:
    run_experiment(load_experiment("own-data-sets", ["training.refit=false"]).config, tmp_path / "run")
    tasks = json_of(tmp_path / "run" / "metrics.json")["splits"]["test"]["tasks"]
    assert tasks["wants"]["majority_accuracy"] == pytest.approx(11 / 40)
    assert tasks["wants"]["accuracy"] > 0.45
    assert tasks["topic"]["accuracy"] > 0.7
    assert tasks["sentiment"]["accuracy"] > 0.65
