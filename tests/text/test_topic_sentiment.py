"""Tests of the packaged experiment `topic-sentiment` through the command line: data, metrics and predictions."""

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

import mtl_text

pytestmark = pytest.mark.usefixtures("placeholder_reports")

Mtl = Callable[..., CompletedProcess[str]]
SAMPLE = Path(mtl_text.__file__).parent / "sample"
TOPICS = ["films", "food", "sport", "technology", "travel"]


def read_sample(split_name: str) -> list[dict[str, str]]:
    with (SAMPLE / f"{split_name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, mtl_uncaptured: Mtl) -> Path:
    """A run of the unchanged experiment, without a refit on the validation data."""
    path = tmp_path_factory.mktemp("runs") / "topic-sentiment"
    result = mtl_uncaptured("run", "topic-sentiment", "--out", path, "--set", "training.refit=false")
    assert result.returncode == 0, result.stderr
    assert "sample data, written for this project" in result.stdout + result.stderr
    return path


@pytest.fixture(scope="module")
def metrics(run: Path) -> dict[str, Any]:
    contents: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return contents


# ── the sample data ──


def test_sample_is_balanced_and_labels_are_independent() -> None:
    pairs = [(topic, sentiment) for topic in TOPICS for sentiment in ("negative", "positive")]
    train = Counter((row["topic"], row["sentiment"]) for row in read_sample("train"))
    assert {pair: train.pop(pair) for pair in pairs} == dict.fromkeys(pairs, 24)
    single_label_counts = {(topic, ""): 36 for topic in TOPICS} | {("", "negative"): 90, ("", "positive"): 90}
    assert train == single_label_counts
    assert Counter((row["topic"], row["sentiment"]) for row in read_sample("test")) == dict.fromkeys(pairs, 15)


def test_sample_texts_are_unique() -> None:
    texts = [
        " ".join(row["text"].lower().split()) for split_name in ("train", "test") for row in read_sample(split_name)
    ]
    assert len(texts) == len(set(texts)) == 750
    assert all(len(text.split()) >= 4 for text in texts)


# ── the run ──


def test_label_counts_exclude_empty_cells(metrics: dict[str, Any]) -> None:
    counts = metrics["data"]["label_counts"]
    label_counts = Counter(counts["train"]["sentiment"]) + Counter(counts["validation"]["sentiment"])
    assert label_counts == {"negative": 210, "positive": 210}
    label_counts = Counter(counts["train"]["topic"]) + Counter(counts["validation"]["topic"])
    assert label_counts == dict.fromkeys(TOPICS, 84)
    assert counts["test"] == {"sentiment": {"negative": 75, "positive": 75}, "topic": dict.fromkeys(TOPICS, 30)}
    assert sum(metrics["data"]["examples"].values()) == 750


def test_both_tasks_beat_their_baselines(metrics: dict[str, Any]) -> None:
    tasks = metrics["splits"]["test"]["tasks"]
    assert tasks["topic"]["n"] == tasks["sentiment"]["n"] == 150
    assert tasks["topic"]["majority_accuracy"] == pytest.approx(0.2)
    assert tasks["sentiment"]["majority_accuracy"] == pytest.approx(0.5)
    assert tasks["topic"]["accuracy"] > 0.75
    assert tasks["sentiment"]["accuracy"] > 0.65


def test_predictions_have_one_probability_per_class(run: Path) -> None:
    records = [json.loads(line) for line in (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    test_records = [record for record in records if record["split"] == "test"]
    assert [record["text"] for record in test_records] == [row["text"] for row in read_sample("test")]
    for record, row in zip(test_records, read_sample("test"), strict=True):
        for task, classes in (("topic", TOPICS), ("sentiment", ["negative", "positive"])):
            prediction = record["tasks"][task]
            assert prediction["gold"] == row[task]
            assert list(prediction["probabilities"]) == classes
            assert sum(prediction["probabilities"].values()) == pytest.approx(1, abs=1e-4)
            assert prediction["label"] == max(prediction["probabilities"], key=prediction["probabilities"].__getitem__)


def test_predictions_do_not_depend_on_the_batch(run: Path, mtl: Mtl) -> None:
    texts = [
        "I loved this film, the actors were wonderful!",
        "The soup was cold and the waiter was rude.",
        "Zyzzyva?",
    ]
    result = mtl("predict", run, "--json", *texts)
    assert result.returncode == 0, result.stderr
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["text"] for record in records] == texts
    labels = [{name: task["label"] for name, task in record["tasks"].items()} for record in records]
    assert labels[:2] == [
        {"sentiment": "positive", "topic": "films"},
        {"sentiment": "negative", "topic": "food"},
    ]
    for record in records:
        [single_record] = [
            json.loads(line) for line in mtl("predict", run, "--json", record["text"]).stdout.splitlines()
        ]
        for name, task in record["tasks"].items():
            assert single_record["tasks"][name]["probabilities"] == pytest.approx(task["probabilities"], abs=1e-5)
