"""`mistakes.jsonl` contains the most confident wrong predictions."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_pages import Page
from toy import task_block, toy_config

from mtl_core.runs import scoring
from mtl_core.runs.mistakes import KEPT
from mtl_core.runs.predict import predict, questions_from_texts
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved import load_run


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _worst(run: Path) -> Iterator[tuple[str, str, str, str, float]]:
    """Yield task, id, label, gold label and confidence of the most confident wrong predictions per task."""
    state = json.loads((run / "state.json").read_text(encoding="utf-8"))
    records = _lines(run / "predictions.jsonl")
    for task in state["tasks"]:
        name, classes = task["name"], task["space"].get("classes", [])
        entries = [(record["id"], record["tasks"][name]) for record in records if name in record["tasks"]]
        wrong = [
            (-entry["probabilities"][entry["label"]], place, one, entry)
            for place, (one, entry) in enumerate(entries)
            if isinstance(entry["label"], str) and entry.get("gold") in classes and entry["gold"] != entry["label"]
        ]
        for confidence, _, one, entry in sorted(wrong, key=lambda found: found[:2])[:KEPT]:
            yield name, one, entry["label"], entry["gold"], -confidence


@pytest.mark.parametrize("name", ["tiny_run", "every_kind_run", "many_run", "numbers_run"])
def test_they_are_the_most_confident_ones(name: str, request: pytest.FixtureRequest) -> None:
    run = Path(request.getfixturevalue(name))
    found = [
        tuple(record[key] for key in ("task", "id", "label", "gold", "confidence"))
        for record in _lines(run / "mistakes.jsonl")
    ]
    assert found == list(_worst(run))
    assert bool(found) == (name != "numbers_run")


def test_attention_is_what_predict_tells(tiny_run: Path) -> None:
    saved = load_run(tiny_run)
    records = _lines(tiny_run / "mistakes.jsonl")
    assert records
    for record, said in zip(
        records, predict(saved, questions_from_texts(one["text"] for one in records), True), strict=True
    ):
        assert record["tokens"] == said["tokens"]
        entry = said["tasks"][record["task"]]
        assert entry["label"] == record["label"]
        assert record["attention"] == pytest.approx(entry["attention"], abs=1e-4)
        assert sum(record["attention"]) == pytest.approx(1, abs=1e-4)


def test_inputs_that_are_no_texts_have_neither_tokens_nor_attention(many_run: Path) -> None:
    records = _lines(many_run / "mistakes.jsonl")
    assert len(records) > KEPT
    assert all(set(record) == {"task", "id", "text", "label", "gold", "confidence"} for record in records)
    assert {record["text"] for record in records} == {""}


def test_the_page_shows_them(tiny_run: Path) -> None:
    section = Page(tiny_run / "report.html").section("mistakes")
    quotes = [node.text for node in section.all("blockquote")]
    records = _lines(tiny_run / "mistakes.jsonl")
    assert quotes == [" ".join(record["text"].split()) for record in records]
    said = [node.text for node in section.all("p") if node.attributes.get("class") == "said"]
    assert said == [
        f"predicted {record['label']} with confidence {100 * record['confidence']:.1f} %; "
        f"true label {record['gold']}"
        for record in records
    ]
    for item, record in zip(section.all("li"), records, strict=True):
        place = int(np.argmax(record["attention"]))
        assert f"highest attention: “{record['tokens'][place]}” {record['attention'][place]:.2f}" in item.text
        shades = [
            float(node.attributes["style"].split(":")[1]) for node in item.all("span") if "style" in node.attributes
        ]
        expected = [min(1.0, weight * len(record["tokens"]) / 3) for weight in record["attention"]]
        assert shades == pytest.approx(expected, abs=0.006)


def test_chunks_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mistakes are selected over all chunks of predictions; earlier predictions come first in ties."""
    config = toy_config(tmp_path, data={"type": "toy", "rows": 40, "test_rows": 40}, tasks=[task_block()])
    run_experiment(config, tmp_path / "whole")
    monkeypatch.setattr(scoring, "CHUNK", 7)
    run_experiment(config, tmp_path / "chunks")
    whole = (tmp_path / "whole" / "mistakes.jsonl").read_text(encoding="utf-8")
    assert whole
    assert (tmp_path / "chunks" / "mistakes.jsonl").read_text(encoding="utf-8") == whole


def test_without_test_data_they_are_those_of_the_validation_examples(tmp_path: Path) -> None:
    config = toy_config(tmp_path, split={"type": "random", "validation": 0.3}, tasks=[task_block()])
    run_experiment(config, tmp_path / "run")
    assert {record["split"] for record in _lines(tmp_path / "run" / "predictions.jsonl")} == {"validation"}
    assert _lines(tmp_path / "run" / "mistakes.jsonl") != []
    found = [(one["task"], one["id"]) for one in _lines(tmp_path / "run" / "mistakes.jsonl")]
    assert found == [(task, one) for task, one, *_ in _worst(tmp_path / "run")]
