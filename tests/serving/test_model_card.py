"""`MODEL_CARD.md`: its content agrees with the files of the run and depends on nothing else."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml
from fastapi.testclient import TestClient

from absa_plugin.pipeline_licence import pipeline_licence
from absa_plugin.semeval import SemEval2014
from mtl_core.model_card.read import read_card
from mtl_core.model_card.sections import sections
from mtl_core.model_card.write import write_card
from mtl_core.report.blocks import Table

Mtl = Callable[..., CompletedProcess[str]]
SECTIONS = ["Model details", "Intended use", "Tasks", "Data", "Training", "Evaluation", "Limits", "Licences"]


def json_of(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def rows(card: str, caption: str) -> list[list[str]]:
    """Return the rows of a table of the card."""
    table = card.partition(f"**{caption}")[2].partition("\n\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


@pytest.fixture
def change(trained_run: Path, tmp_path: Path) -> Callable[[Callable[[Any], None]], str]:
    """Change the `metrics.json` of a run and return the resulting card."""
    path = Path(shutil.copytree(trained_run, tmp_path / "run"))

    def changed(by: Callable[[Any], None]) -> str:
        metrics = json_of(path / "metrics.json")
        by(metrics)
        (path / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
        return write_card(path).read_text(encoding="utf-8")

    return changed


def test_a_run_ends_with_its_card(trained_run: Path) -> None:
    card = (trained_run / "MODEL_CARD.md").read_text(encoding="utf-8")
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head) == {
        "library_name": "mtl-core",
        "tags": ["multi-task-learning"],
        "metrics": ["accuracy"],
    }
    assert re.findall(r"^# (.+)$", body, re.MULTILINE) == ["tiny"]
    assert re.findall(r"^## (.+)$", body, re.MULTILINE) == SECTIONS


def test_figures_are_those_of_the_files(trained_run: Path) -> None:
    card = (trained_run / "MODEL_CARD.md").read_text(encoding="utf-8")
    metrics = json_of(trained_run / "metrics.json")
    test = metrics["splits"]["test"]["tasks"]
    examples = metrics["data"]["examples"]
    told = {(row[0], row[1]): row[2:] for row in rows(card, f"Test data, {examples['test']} examples")}
    for name, figures in test.items():
        expected = [str(figures["n"]), f"{figures['accuracy']:.4f}", f"{figures['majority_accuracy']:.4f}"]
        assert told[name, "accuracy"] == expected
    counts = metrics["data"]["label_counts"]
    labels = {(row[0], row[1]): row[2:] for row in rows(card, "Labels")}
    assert labels == {
        (task, label): [str(counts[part][task][label]) for part in examples]
        for task, found in counts["train"].items()
        for label in found
    }
    classes = {(row[0], row[1]): row[2:] for row in rows(card, "Test data by class")}
    confusion = test["food"]["confusion"]
    state = json_of(trained_run / "state.json")
    names = next(task["space"]["classes"] for task in state["tasks"] if task["name"] == "food")
    for place, name in enumerate(names):
        n, hit = sum(confusion[place]), confusion[place][place]
        assert classes["food", name][:2] == [str(n), f"{100 * hit / n:.1f} %"]


def test_it_is_made_again_from_the_files_alone(trained_run: Path, tmp_path: Path, mtl: Mtl) -> None:
    path = Path(shutil.copytree(trained_run, tmp_path / "elsewhere"))
    first = (path / "MODEL_CARD.md").read_bytes()
    (path / "MODEL_CARD.md").unlink()
    (path / "model.safetensors").unlink()
    assert mtl("report", path).returncode == 0
    assert (path / "MODEL_CARD.md").read_bytes() == first


def test_no_path_of_this_machine_stands_in_it(trained_run: Path) -> None:
    card = (trained_run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert str(trained_run.parent) not in card
    assert "train.xml" not in card or "/train.xml" not in card


def test_limits_follow_from_the_figures(change: Callable[[Callable[[Any], None]], str]) -> None:
    def worsen(metrics: Any) -> None:
        metrics["data"]["label_counts"]["train"]["food"]["negative"] = 7
        metrics["splits"]["test"]["tasks"]["food"] |= {"confusion": [[3, 9], [0, 0]], "accuracy": 0.25}
        metrics["calibration"] = {"values": {}, "errors": {"label": {"n": 40, "before": 0.2, "after": 0.05}}}
        metrics["licences"] = ["Weights come *from* somewhere."]

    limits = change(worsen).partition("## Limits")[2]
    assert "food: negative (7)" in limits
    assert "The test split has no labels of these classes: food: negative." in limits
    assert "Recall below one half on the test split: food: positive (3 of 12)" in limits
    assert "No better than the baseline, which ignores the input: food" in limits
    assert "Calibrated on 40 predictions" in limits
    assert "is 0.2000 before and 0.0500 after" in limits
    assert r"- Weights come \*from\* somewhere." in limits


def test_a_run_without_test_data_says_so(change: Callable[[Callable[[Any], None]], str]) -> None:
    def drop(metrics: Any) -> None:
        del metrics["splits"]["test"], metrics["data"]["examples"]["test"]

    assert "There is no test split." in change(drop)


def test_names_break_no_table(change: Callable[[Callable[[Any], None]], str]) -> None:
    def rename(metrics: Any) -> None:
        for counts in metrics["data"]["label_counts"].values():
            counts["food"] = {"a|b <i>": 60, "c\nd": 60}

    card = change(rename)
    assert [row[1] for row in rows(card, "Labels")][:2] == [r"a\|b \<i\>", "c d"]


def test_kinds_without_classes_have_a_card_too(notes_run: Path) -> None:
    card = read_card(notes_run)
    assert card.kinds == {
        "place": "classification",
        "stars": "ordinal",
        "tags": "multi-label",
        "nights": "regression",
        "pos": "token-tagging",
    }
    tables = [block for section in sections(card) for block in section.blocks if isinstance(block, Table)]
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert any("lower is better" in row[1].text for table in tables for row in table.rows if len(row) == 5)


def test_the_server_tells_it(client: TestClient, notes_run: Path) -> None:
    card = (notes_run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert client.get("/model?format=markdown").text == card
    assert client.get("/model", headers={"Accept": "text/markdown"}).text == card
    told = client.get("/model").json()
    assert [task["name"] for task in told["tasks"]] == ["place", "stars", "tags", "nights", "pos"]
    assert told["tasks"][0]["classes"] == ["campsite", "flat", "hotel"]
    figures = json_of(notes_run / "metrics.json")["splits"]["validation"]["tasks"]["place"]
    assert told["tasks"][0]["figures"]["validation"]["metrics"]["accuracy"]["value"] == figures["accuracy"]
    assert told["serving"] == {"max_text": 4000, "max_texts": 50, "max_bytes": 50000, "timeout": 30.0}
    assert told["limits"]
    schema = client.get("/openapi.json").json()["components"]["schemas"]["ModelCard"]
    assert set(told) == set(schema["properties"]) == set(schema["required"])


# ── licences ──


def test_parts_say_what_is_to_be_minded(trained_run: Path, reviews: Path, tmp_path: Path) -> None:
    [note] = SemEval2014(train=reviews / "train.xml").licence_notes()
    assert "research" in note
    assert "must not be redistributed" in note
    assert json_of(trained_run / "metrics.json")["licences"] == [note]
    sample = Path(__file__).parents[2] / "absa_plugin" / "sample" / "train.xml"
    assert "Apache-2.0" in SemEval2014(train=sample).licence_notes()[0]
    assert pipeline_licence("blank:en") == []
    meta = {"lang": "xx", "name": "tiny", "version": "1.2", "license": "CC BY 4.0"}
    (tmp_path / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    assert pipeline_licence(str(tmp_path)) == [
        "Word vectors come from the spaCy pipeline xx_tiny 1.2; its licence: CC BY 4.0."
    ]
    assert "states no licence" in pipeline_licence("no_such_pipeline")[0]
