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

Mtl = Callable[..., CompletedProcess[str]]
SAMPLE = Path(mtl_text.__file__).parent / "sample"
TOPICS = ["films", "food", "sport", "technology", "travel"]


def sample(part: str) -> list[dict[str, str]]:
    with (SAMPLE / f"{part}.csv").open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, mtl_early: Mtl) -> Path:
    """A run of the unchanged experiment, without a refit on the validation data."""
    path = tmp_path_factory.mktemp("runs") / "topic-sentiment"
    result = mtl_early("run", "topic-sentiment", "--out", path, "--set", "training.refit=false")
    assert result.returncode == 0, result.stderr
    assert "sample data, written for this project" in result.stdout + result.stderr
    return path


@pytest.fixture(scope="module")
def metrics(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    return found


# ── the sample data ──


def test_the_sample_is_balanced_and_neither_label_tells_the_other() -> None:
    pairs = [(topic, sentiment) for topic in TOPICS for sentiment in ("negative", "positive")]
    train = Counter((row["topic"], row["sentiment"]) for row in sample("train"))
    assert {pair: train.pop(pair) for pair in pairs} == dict.fromkeys(pairs, 24)
    alone = {(topic, ""): 36 for topic in TOPICS} | {("", "negative"): 90, ("", "positive"): 90}
    assert train == alone
    assert Counter((row["topic"], row["sentiment"]) for row in sample("test")) == dict.fromkeys(pairs, 15)


def test_every_text_of_the_sample_stands_there_once() -> None:
    texts = [" ".join(row["text"].lower().split()) for part in ("train", "test") for row in sample(part)]
    assert len(texts) == len(set(texts)) == 750
    assert all(len(text.split()) >= 4 for text in texts)


# ── the run ──


def test_every_label_is_counted_and_an_empty_cell_is_none(metrics: dict[str, Any]) -> None:
    counts = metrics["data"]["label_counts"]
    known = Counter(counts["train"]["sentiment"]) + Counter(counts["validation"]["sentiment"])
    assert known == {"negative": 210, "positive": 210}
    known = Counter(counts["train"]["topic"]) + Counter(counts["validation"]["topic"])
    assert known == dict.fromkeys(TOPICS, 84)
    assert counts["test"] == {"sentiment": {"negative": 75, "positive": 75}, "topic": dict.fromkeys(TOPICS, 30)}
    assert sum(metrics["data"]["examples"].values()) == 750


def test_both_tasks_are_learned(metrics: dict[str, Any]) -> None:
    tasks = metrics["splits"]["test"]["tasks"]
    assert tasks["topic"]["n"] == tasks["sentiment"]["n"] == 150
    assert tasks["topic"]["majority_accuracy"] == pytest.approx(0.2)
    assert tasks["sentiment"]["majority_accuracy"] == pytest.approx(0.5)
    assert tasks["topic"]["accuracy"] > 0.75
    assert tasks["sentiment"]["accuracy"] > 0.65


def test_sentiment_is_one_number_and_topic_five(run: Path) -> None:
    records = [json.loads(line) for line in (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    tests = [record for record in records if record["split"] == "test"]
    assert [record["text"] for record in tests] == [row["text"] for row in sample("test")]
    for record, row in zip(tests, sample("test"), strict=True):
        for task, classes in (("topic", TOPICS), ("sentiment", ["negative", "positive"])):
            said = record["tasks"][task]
            assert said["gold"] == row[task]
            assert list(said["probabilities"]) == classes
            assert sum(said["probabilities"].values()) == pytest.approx(1, abs=1e-4)
            assert said["label"] == max(said["probabilities"], key=said["probabilities"].__getitem__)


def test_texts_are_predicted_alone_and_together_alike(run: Path, mtl: Mtl) -> None:
    texts = [
        "I loved this film, the actors were wonderful!",
        "The soup was cold and the waiter was rude.",
        "Zyzzyva?",
    ]
    result = mtl("predict", run, "--json", *texts)
    assert result.returncode == 0, result.stderr
    together = [json.loads(line) for line in result.stdout.splitlines()]
    assert [record["text"] for record in together] == texts
    labels = [{name: task["label"] for name, task in record["tasks"].items()} for record in together]
    assert labels[:2] == [
        {"sentiment": "positive", "topic": "films"},
        {"sentiment": "negative", "topic": "food"},
    ]
    for record in together:
        [alone] = [json.loads(line) for line in mtl("predict", run, "--json", record["text"]).stdout.splitlines()]
        for name, task in record["tasks"].items():
            assert alone["tasks"][name]["probabilities"] == pytest.approx(task["probabilities"], abs=1e-5)
