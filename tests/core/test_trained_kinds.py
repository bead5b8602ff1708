"""Every task kind in a complete run: training, saving, loading, prediction and evaluation."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from token_components import COLUMNS, COMMA, COSTS, PLUGIN, WORDS, Sentences, build_task_blocks
from toy import toy_config

from mtl_core import Corpus
from mtl_core.evaluation.scores import MetricValue
from mtl_core.runs.evaluate import evaluate_file, evaluate_test_split
from mtl_core.runs.predict_inputs import predict, predict_file
from mtl_core.runs.prediction_inputs import parse_texts
from mtl_core.runs.run import run_experiment
from mtl_core.runs.run_report import RunReport
from mtl_core.runs.saved_run import SavedRun, load_run

MIN_ERROR_REDUCTION = {
    "wet": 0.7, "drink": 0.4, "colours": 0.7, "price": 0.5, "two": 0.5, "strength": 0.4, "tags": 0.8, "costs": 0.5,
    "again": 0.1, "hidden": 0.4, "bag": 0.5,
}  # fmt: skip
"""Minimum relative error reduction against the baseline, per task."""


def write_table(path: Path, corpus: Corpus, split_name: str) -> Path:
    rows = [
        {"id": corpus.ids[row], "text": corpus.inputs[row], **{name: corpus.labels[name][row] for name in COLUMNS}}
        for row in corpus.get_row_indices(split_name).tolist()  # type: ignore[arg-type]
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


def run_kinds(folder: Path, name: str, epochs: int, **blocks: Any) -> RunReport:
    data = {"type": "table", "train": str(folder / "train.jsonl"), "test": str(folder / "test.jsonl"), "id": "id"}
    config = toy_config(
        folder,
        **{
            "plugins": [PLUGIN],
            "data": {**data, "text": "text"},
            "encoder": "tiny-words",
            "backbone": "neighbours",
            "tasks": build_task_blocks(),
            "optimizer": {"type": "adam", "lr": 0.02},
            "training": {"epochs": epochs, "batch_size": 16},
            **blocks,
        },
    )
    return run_experiment(config, folder / name)


@pytest.fixture(scope="module")
def report(folder: Path) -> RunReport:
    """A run of one network with all kinds."""
    return run_kinds(folder, "all", 10)


@pytest.fixture(scope="module")
def saved(report: RunReport) -> SavedRun:
    return load_run(report.path)


def get_main_metric(report: RunReport, task: str) -> MetricValue:
    return next(iter(report.scores["test"].tasks[task].metrics.values()))


@pytest.mark.parametrize("task", MIN_ERROR_REDUCTION)
def test_every_kind_beats_its_baseline(report: RunReport, task: str) -> None:
    metric = get_main_metric(report, task)
    assert metric.relative_error_reduction is not None
    assert metric.relative_error_reduction > MIN_ERROR_REDUCTION[task], metric


def test_token_baseline_uses_encoded_tokens_only(report: RunReport) -> None:
    """Commas have labels, too, but the network does not read them."""
    figures = report.scores["test"].tasks["costs"].metrics
    assert figures["r2"].baseline == pytest.approx(0, abs=0.1)
    task = next(task for task in report.data.tasks if task.name == "tags")
    assert task.space.classes == ("colour", "comma", "drink")
    assert set(task.class_counts) == {"colour", "drink"}


def read_records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_predictions_have_tokens_and_labels_in_the_same_order(report: RunReport, folder: Path) -> None:
    rows = {row["id"]: row for row in read_records(folder / "test.jsonl")}
    predictions = read_records(report.path / "predictions.jsonl")
    assert len(predictions) == len(rows) == 40
    assert any(COMMA in record["text"] for record in predictions)
    for record in predictions:
        words, tokens = record["text"].split(), record["tokens"]
        assert tokens == [word for word in words if word != COMMA]
        assert list(record["tasks"]) == list(MIN_ERROR_REDUCTION)
        for name in ("tags", "costs", "again", "hidden"):
            assert len(record["tasks"][name]["label"]) == len(tokens), name
        for name in ("tags", "costs"):
            labels = rows[record["id"]][name]
            gold = record["tasks"][name].get("gold")
            expected_labels = [label for label, word in zip(labels or [], words, strict=bool(labels)) if word != COMMA]
            assert gold == (None if labels is None else expected_labels)
        for name in ("wet", "colours", "price", "two"):
            assert record["tasks"][name].get("gold") == rows[record["id"]][name]
    tagged = [
        pair for record in predictions for pair in zip(record["tokens"], record["tasks"]["tags"]["label"], strict=True)
    ]
    expected = ["colour" if WORDS.index(token) % 2 == 0 else "drink" for token, _ in tagged]
    assert sum(tag == expected_tag for (_, tag), expected_tag in zip(tagged, expected, strict=True)) > 0.95 * len(
        tagged
    )


def test_loaded_run_predicts_labels_of_each_kind(saved: SavedRun) -> None:
    (record,) = predict(saved, parse_texts(["red wine , green tea"]))
    predicted = {name: task["label"] for name, task in record["tasks"].items()}
    assert record["tokens"] == ["red", "wine", "green", "tea"]
    assert predicted["wet"] == "yes"
    assert predicted["colours"] == ["green", "red"]
    assert predicted["tags"] == ["colour", "drink"] * 2
    assert 50_000 <= predicted["price"] <= 54_000
    assert predicted["costs"] == pytest.approx([2000 + 10 * COSTS[token] for token in record["tokens"]], abs=12)
    assert len(predicted["two"]) == 2
    assert {*predicted["bag"][:4]} == {*record["tokens"]}
    assert predicted["strength"] == "none"
    for name in ("tags", "again", "hidden"):
        assert all(0 < confidence <= 1 for confidence in record["tasks"][name]["confidence"])
    assert sum(record["tasks"]["drink"]["probabilities"].values()) == pytest.approx(1, abs=1e-5)


def test_predictions_of_a_loaded_run_equal_the_written_ones(saved: SavedRun, report: RunReport, folder: Path) -> None:
    written_predictions = read_records(report.path / "predictions.jsonl")
    loaded_predictions = list(predict_file(saved, folder / "test.jsonl"))
    assert len(loaded_predictions) == len(written_predictions)
    for new, old in zip(loaded_predictions, written_predictions, strict=True):
        for name, task in old["tasks"].items():
            loaded_task = new["tasks"][name]
            if name == "hidden":  # words are hidden in evaluation, but not in prediction
                continue
            if isinstance(task["label"], float) or (task["label"] and isinstance(task["label"][0], float)):
                assert loaded_task["label"] == pytest.approx(task["label"], rel=1e-5, abs=1e-6), name
            else:
                assert loaded_task["label"] == task["label"], name


def test_metrics_of_a_loaded_run_equal_the_written_ones(saved: SavedRun, report: RunReport, folder: Path) -> None:
    metrics = json.loads((report.path / "metrics.json").read_text(encoding="utf-8"))["splits"]["test"]["tasks"]
    for evaluation in (evaluate_test_split(saved), evaluate_file(saved, folder / "test.jsonl")):
        assert evaluation.n_examples == 40
        for name, score in evaluation.scores.tasks.items():
            assert score.n == metrics[name]["n"]
            for key, metric in score.metrics.items():
                if not metric.scalar:
                    assert metric.value == metrics[name][key], (name, key)
                    continue
                assert metric.value == pytest.approx(metrics[name][key], rel=1e-4), (name, key)
                first = report.scores["test"].tasks[name].metrics[key].baseline
                assert metric.baseline == pytest.approx(first, rel=1e-4), (name, key)


def write_without_columns(folder: Path, *columns: str) -> Path:
    path = folder / f"without-{len(columns)}.jsonl"
    rows = [
        {key: cell for key, cell in row.items() if key not in columns} for row in read_records(folder / "test.jsonl")
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_file_without_some_labels_is_evaluated_on_the_remaining_ones(
    saved: SavedRun, report: RunReport, folder: Path
) -> None:
    scores = evaluate_file(saved, write_without_columns(folder, "costs", "price", "two", "tags")).scores
    for name in ("costs", "price", "two", "tags"):
        assert scores.tasks[name].n == 0
        assert {metric.value for metric in scores.tasks[name].metrics.values()} == {None}
    for name in ("wet", "again"):
        assert scores.tasks[name].n == report.scores["test"].tasks[name].n


def test_file_without_labels_is_evaluated_on_self_supervised_tasks(
    saved: SavedRun, report: RunReport, folder: Path
) -> None:
    scores = evaluate_file(saved, write_without_columns(folder, *COLUMNS)).scores
    known = {name for name, score in scores.tasks.items() if score.n}
    assert known == {"again", "hidden", "bag"}
    for name in known:
        value, before = next(iter(scores.tasks[name].metrics.values())).value, get_main_metric(report, name).value
        assert value == pytest.approx(before, rel=1e-4)


# ── encoders of plugins ──


def build_embedding_blocks() -> dict[str, Any]:
    pytest.importorskip("mtl_text")
    return {
        "encoder": {"type": "embedding", "dimensions": 16},
        "backbone": {"type": "lstm", "hidden_dim": 16, "output": "tokens"},
    }


def build_spacy_blocks() -> dict[str, Any]:
    pytest.importorskip("absa_plugin")
    return {"encoder": {"type": "spacy", "pipeline": "blank:en", "dimensions": 16, "drop": ["punctuation"]}}


@pytest.mark.parametrize("parts", [build_embedding_blocks, build_spacy_blocks])
def test_encoders_of_plugins_support_token_tasks(folder: Path, parts: Callable[[], dict[str, Any]]) -> None:
    run_report = run_kinds(
        folder, parts.__name__, 6, tasks=build_task_blocks("wet", "tags", "costs", "hidden", "bag"), **parts()
    )
    for task, min_reduction in {"wet": 0.3, "tags": 0.8, "costs": 0.2, "bag": 0.4}.items():
        metric = get_main_metric(run_report, task)
        assert metric.relative_error_reduction is not None
        assert metric.relative_error_reduction > min_reduction, (task, metric)
    (record,) = predict(load_run(run_report.path), parse_texts(["red wine , green tea"]))
    task_predictions, tokens = record["tasks"], record["tokens"]
    assert tokens == (
        ["red", "wine", "green", "tea"] if parts is build_spacy_blocks else ["red", "wine", ",", "green", "tea"]
    )
    tags = {"red": "colour", "green": "colour", ",": "comma"}
    assert task_predictions["tags"]["label"] == [tags.get(token, "drink") for token in tokens]
    assert len(task_predictions["hidden"]["label"]) == len(task_predictions["costs"]["label"]) == len(tokens)
