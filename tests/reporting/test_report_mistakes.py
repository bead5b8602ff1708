"""`mistakes.jsonl` contains the most confident wrong predictions."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_pages import Page
from toy import task_block, toy_config

from mtl_core.runs import split_evaluation
from mtl_core.runs.mistakes import MAX_MISTAKES
from mtl_core.runs.predict_inputs import predict
from mtl_core.runs.prediction_inputs import parse_texts
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_run import load_run


def _load_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _iterate_worst_predictions(run_dir: Path) -> Iterator[tuple[str, str, str, str, float]]:
    """Yield task, id, label, gold label and confidence of the most confident wrong predictions per task."""
    state = json.loads((run_dir / "state.json").read_text(encoding="utf-8"))
    records = _load_lines(run_dir / "predictions.jsonl")
    for task in state["tasks"]:
        name, classes = task["name"], task["space"].get("classes", [])
        entries = [(record["id"], record["tasks"][name]) for record in records if name in record["tasks"]]
        wrong = [
            (-entry["probabilities"][entry["label"]], index, example_id, entry)
            for index, (example_id, entry) in enumerate(entries)
            if isinstance(entry["label"], str) and entry.get("gold") in classes and entry["gold"] != entry["label"]
        ]
        for confidence, _, example_id, entry in sorted(wrong, key=lambda mistake: mistake[:2])[:MAX_MISTAKES]:
            yield name, example_id, entry["label"], entry["gold"], -confidence


@pytest.mark.parametrize("name", ["tiny_run", "every_kind_run", "numbers_run"])
def test_mistakes_are_the_most_confident_errors(name: str, request: pytest.FixtureRequest) -> None:
    run_dir = Path(request.getfixturevalue(name))
    mistakes = [
        tuple(record[key] for key in ("task", "id", "label", "gold", "confidence"))
        for record in _load_lines(run_dir / "mistakes.jsonl")
    ]
    assert mistakes == list(_iterate_worst_predictions(run_dir))
    assert bool(mistakes) == (name != "numbers_run")


def test_attention_matches_predict(tiny_run: Path) -> None:
    saved_run = load_run(tiny_run)
    records = _load_lines(tiny_run / "mistakes.jsonl")
    assert records
    for record, prediction in zip(
        records, predict(saved_run, parse_texts(mistake["text"] for mistake in records), True), strict=True
    ):
        assert record["tokens"] == prediction["tokens"]
        entry = prediction["tasks"][record["task"]]
        assert entry["label"] == record["label"]
        assert record["attention"] == pytest.approx(entry["attention"], abs=1e-4)
        assert sum(record["attention"]) == pytest.approx(1, abs=1e-4)


def test_inputs_without_text_have_no_tokens_and_no_attention(many_run: Path) -> None:
    records = _load_lines(many_run / "mistakes.jsonl")
    assert len(records) > MAX_MISTAKES
    assert all(set(record) == {"task", "id", "text", "label", "gold", "confidence"} for record in records)
    assert {record["text"] for record in records} == {""}


def test_page_contains_the_mistakes(tiny_run: Path) -> None:
    section = Page(tiny_run / "report.html").section("mistakes")
    quotes = [node.text for node in section.find_all("blockquote")]
    records = _load_lines(tiny_run / "mistakes.jsonl")
    assert quotes == [" ".join(record["text"].split()) for record in records]
    descriptions = [node.text for node in section.find_all("p") if node.attributes.get("class") == "prediction"]
    assert descriptions == [
        f"predicted {record['label']} with confidence {100 * record['confidence']:.1f} %; true label {record['gold']}"
        for record in records
    ]
    for item, record in zip(section.find_all("li"), records, strict=True):
        index = int(np.argmax(record["attention"]))
        assert f"highest attention: “{record['tokens'][index]}” {record['attention'][index]:.2f}" in item.text
        shades = [
            float(node.attributes["style"].split(":")[1])
            for node in item.find_all("span")
            if "style" in node.attributes
        ]
        expected = [min(1.0, weight * len(record["tokens"]) / 3) for weight in record["attention"]]
        assert shades == pytest.approx(expected, abs=0.006)


def test_mistakes_do_not_depend_on_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mistakes are selected over all chunks of predictions; earlier predictions come first in ties."""
    config = toy_config(tmp_path, data={"type": "toy", "rows": 40, "test_rows": 40}, tasks=[task_block()])
    run_experiment(config, tmp_path / "whole")
    monkeypatch.setattr(split_evaluation, "CHUNK_SIZE", 7)
    run_experiment(config, tmp_path / "chunks")
    expected_lines = (tmp_path / "whole" / "mistakes.jsonl").read_text(encoding="utf-8")
    assert expected_lines
    assert (tmp_path / "chunks" / "mistakes.jsonl").read_text(encoding="utf-8") == expected_lines


def test_validation_mistakes_without_a_test_split(tmp_path: Path) -> None:
    config = toy_config(tmp_path, split={"type": "random", "validation": 0.3}, tasks=[task_block()])
    run_experiment(config, tmp_path / "run")
    assert {record["split"] for record in _load_lines(tmp_path / "run" / "predictions.jsonl")} == {"validation"}
    assert _load_lines(tmp_path / "run" / "mistakes.jsonl") != []
    mistakes = [(mistake["task"], mistake["id"]) for mistake in _load_lines(tmp_path / "run" / "mistakes.jsonl")]
    assert mistakes == [(task, mistake) for task, mistake, *_ in _iterate_worst_predictions(tmp_path / "run")]
