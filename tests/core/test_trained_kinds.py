"""Every task kind in a complete run: training, saving, loading, prediction and evaluation."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from token_parts import COLUMNS, COMMA, COSTS, PLUGIN, WORDS, Sentences, tasks
from toy import toy_config

from mtl_core import Corpus
from mtl_core.evaluation.scores import Figure
from mtl_core.runs.evaluate import evaluate_file, evaluate_test_part
from mtl_core.runs.predict import predict, predict_file, questions_from_texts
from mtl_core.runs.run import RunReport, run_experiment
from mtl_core.runs.saved import SavedRun, load_run

GAINS = {
    "wet": 0.7, "drink": 0.4, "colours": 0.7, "price": 0.5, "two": 0.5, "strength": 0.4, "tags": 0.8, "costs": 0.5,
    "again": 0.1, "hidden": 0.4, "bag": 0.5,
}  # fmt: skip
"""Minimum relative error reduction against the baseline, per task."""


def write_table(path: Path, corpus: Corpus, part: str) -> Path:
    rows = [
        {"id": corpus.ids[row], "text": corpus.inputs[row], **{name: corpus.labels[name][row] for name in COLUMNS}}
        for row in corpus.rows(part).tolist()  # type: ignore[arg-type]
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with synthetic sentences as files."""
    folder = tmp_path_factory.mktemp("sentences")
    corpus = Sentences(rows=140, test_rows=40).load()
    write_table(folder / "train.jsonl", corpus, "train")
    write_table(folder / "test.jsonl", corpus, "test")
    return folder


def run(folder: Path, name: str, epochs: int, **blocks: Any) -> RunReport:
    data = {"type": "table", "train": str(folder / "train.jsonl"), "test": str(folder / "test.jsonl"), "id": "id"}
    config = toy_config(
        folder,
        **{
            "plugins": [PLUGIN],
            "data": {**data, "text": "text"},
            "encoder": "tiny-words",
            "backbone": "neighbours",
            "tasks": tasks(),
            "optimizer": {"type": "adam", "lr": 0.02},
            "training": {"epochs": epochs, "batch_size": 16},
            **blocks,
        },
    )
    return run_experiment(config, folder / name)


@pytest.fixture(scope="module")
def report(folder: Path) -> RunReport:
    """A run of one network with all kinds."""
    return run(folder, "all", 10)


@pytest.fixture(scope="module")
def saved(report: RunReport) -> SavedRun:
    return load_run(report.path)


def main_figure(report: RunReport, task: str) -> Figure:
    return next(iter(report.scores["test"].tasks[task].figures.values()))


@pytest.mark.parametrize("task", GAINS)
def test_every_kind_learns_more_than_its_baseline_knows(report: RunReport, task: str) -> None:
    figure = main_figure(report, task)
    assert figure.gain is not None
    assert figure.gain > GAINS[task], figure


def test_a_token_baseline_is_learned_from_the_tokens_that_are_read(report: RunReport) -> None:
    """Commas have labels, too, but the network does not read them."""
    figures = report.scores["test"].tasks["costs"].figures
    assert figures["r2"].baseline == pytest.approx(0, abs=0.1)
    task = next(task for task in report.prepared.tasks if task.name == "tags")
    assert task.space.classes == ("colour", "comma", "drink")
    assert set(task.counts) == {"colour", "drink"}


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_predictions_name_tokens_and_their_labels_in_one_order(report: RunReport, folder: Path) -> None:
    rows = {row["id"]: row for row in records(folder / "test.jsonl")}
    written = records(report.path / "predictions.jsonl")
    assert len(written) == len(rows) == 40
    assert any(COMMA in record["text"] for record in written)
    for record in written:
        words, tokens = record["text"].split(), record["tokens"]
        assert tokens == [word for word in words if word != COMMA]
        assert list(record["tasks"]) == list(GAINS)
        for name in ("tags", "costs", "again", "hidden"):
            assert len(record["tasks"][name]["label"]) == len(tokens), name
        for name in ("tags", "costs"):
            labels = rows[record["id"]][name]
            gold = record["tasks"][name].get("gold")
            kept = [label for label, word in zip(labels or [], words, strict=bool(labels)) if word != COMMA]
            assert gold == (None if labels is None else kept)
        for name in ("wet", "colours", "price", "two"):
            assert record["tasks"][name].get("gold") == rows[record["id"]][name]
    tagged = [
        pair for record in written for pair in zip(record["tokens"], record["tasks"]["tags"]["label"], strict=True)
    ]
    expected = ["colour" if WORDS.index(token) % 2 == 0 else "drink" for token, _ in tagged]
    assert sum(tag == right for (_, tag), right in zip(tagged, expected, strict=True)) > 0.95 * len(tagged)


def test_a_loaded_run_answers_in_the_form_of_each_kind(saved: SavedRun) -> None:
    (record,) = predict(saved, questions_from_texts(["red wine , green tea"]))
    said = {name: task["label"] for name, task in record["tasks"].items()}
    assert record["tokens"] == ["red", "wine", "green", "tea"]
    assert said["wet"] == "yes"
    assert said["colours"] == ["green", "red"]
    assert said["tags"] == ["colour", "drink"] * 2
    assert 50_000 <= said["price"] <= 54_000
    assert said["costs"] == pytest.approx([2000 + 10 * COSTS[token] for token in record["tokens"]], abs=12)
    assert len(said["two"]) == 2
    assert {*said["bag"][:4]} == {*record["tokens"]}
    assert said["strength"] == "none"
    for name in ("tags", "again", "hidden"):
        assert all(0 < sure <= 1 for sure in record["tasks"][name]["confidence"])
    assert sum(record["tasks"]["drink"]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_a_loaded_run_says_what_the_run_wrote(saved: SavedRun, report: RunReport, folder: Path) -> None:
    written = records(report.path / "predictions.jsonl")
    told = list(predict_file(saved, folder / "test.jsonl"))
    assert len(told) == len(written)
    for new, old in zip(told, written, strict=True):
        for name, task in old["tasks"].items():
            again = new["tasks"][name]
            if name == "hidden":  # words are hidden in evaluation, but not in prediction
                continue
            if isinstance(task["label"], float) or (task["label"] and isinstance(task["label"][0], float)):
                assert again["label"] == pytest.approx(task["label"], rel=1e-5, abs=1e-6), name
            else:
                assert again["label"] == task["label"], name


def test_a_loaded_run_is_measured_as_the_run_was(saved: SavedRun, report: RunReport, folder: Path) -> None:
    metrics = json.loads((report.path / "metrics.json").read_text(encoding="utf-8"))["splits"]["test"]["tasks"]
    for evaluation in (evaluate_test_part(saved), evaluate_file(saved, folder / "test.jsonl")):
        assert evaluation.examples == 40
        for name, score in evaluation.scores.tasks.items():
            assert score.n == metrics[name]["n"]
            for key, figure in score.figures.items():
                if not figure.scalar:
                    assert figure.value == metrics[name][key], (name, key)
                    continue
                assert figure.value == pytest.approx(metrics[name][key], rel=1e-4), (name, key)
                first = report.scores["test"].tasks[name].figures[key].baseline
                assert figure.baseline == pytest.approx(first, rel=1e-4), (name, key)


def without(folder: Path, *columns: str) -> Path:
    path = folder / f"without-{len(columns)}.jsonl"
    rows = [
        {key: cell for key, cell in row.items() if key not in columns} for row in records(folder / "test.jsonl")
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_file_without_some_labels_is_scored_on_the_others(
    saved: SavedRun, report: RunReport, folder: Path
) -> None:
    scores = evaluate_file(saved, without(folder, "costs", "price", "two", "tags")).scores
    for name in ("costs", "price", "two", "tags"):
        assert scores.tasks[name].n == 0
        assert {figure.value for figure in scores.tasks[name].figures.values()} == {None}
    for name in ("wet", "again"):
        assert scores.tasks[name].n == report.scores["test"].tasks[name].n


def test_a_file_without_any_label_is_scored_on_what_needs_none(
    saved: SavedRun, report: RunReport, folder: Path
) -> None:
    scores = evaluate_file(saved, without(folder, *COLUMNS)).scores
    known = {name for name, score in scores.tasks.items() if score.n}
    assert known == {"again", "hidden", "bag"}
    for name in known:
        value, before = next(iter(scores.tasks[name].figures.values())).value, main_figure(report, name).value
        assert value == pytest.approx(before, rel=1e-4)


# ── encoders of plugins ──


def embedding() -> dict[str, Any]:
    pytest.importorskip("mtl_text")
    return {
        "encoder": {"type": "embedding", "dimensions": 16},
        "backbone": {"type": "lstm", "hidden_dim": 16, "output": "tokens"},
    }


def spacy() -> dict[str, Any]:
    pytest.importorskip("absa_plugin")
    return {"encoder": {"type": "spacy", "pipeline": "blank:en", "dimensions": 16, "drop": ["punctuation"]}}


@pytest.mark.parametrize("parts", [embedding, spacy])
def test_real_encoders_serve_token_tasks(folder: Path, parts: Callable[[], dict[str, Any]]) -> None:
    found = run(folder, parts.__name__, 6, tasks=tasks("wet", "tags", "costs", "hidden", "bag"), **parts())
    for task, least in {"wet": 0.3, "tags": 0.8, "costs": 0.2, "bag": 0.4}.items():
        figure = main_figure(found, task)
        assert figure.gain is not None
        assert figure.gain > least, (task, figure)
    (record,) = predict(load_run(found.path), questions_from_texts(["red wine , green tea"]))
    said, tokens = record["tasks"], record["tokens"]
    assert tokens == (["red", "wine", "green", "tea"] if parts is spacy else ["red", "wine", ",", "green", "tea"])
    tags = {"red": "colour", "green": "colour", ",": "comma"}
    assert said["tags"]["label"] == [tags.get(token, "drink") for token in tokens]
    assert len(said["hidden"]["label"]) == len(said["costs"]["label"]) == len(tokens)
