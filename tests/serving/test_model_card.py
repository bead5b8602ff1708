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

from absa_plugin.pipeline_licence import describe_licence
from absa_plugin.semeval import SemEval2014
from mtl_core.reporting.blocks import Table
from mtl_core.reporting.model_card.read_card import read_card
from mtl_core.reporting.model_card.sections import build_sections
from mtl_core.reporting.model_card.write_card import write_card

pytestmark = pytest.mark.usefixtures("shared_pipelines")

Mtl = Callable[..., CompletedProcess[str]]
SECTIONS = [
    "Model details",
    "Intended use",
    "Tasks",
    "Data",
    "Training",
    "Evaluation",
    "Limits",
    "Licences",
    "Provenance",
]


def load_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def parse_table_rows(card: str, caption: str) -> list[list[str]]:
    """Return the rows of a table of the card."""
    table = card.partition(f"**{caption}")[2].partition("\n\n")[2].partition("\n\n")[0]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()[2:]]


@pytest.fixture
def write_changed_card(trained_run: Path, tmp_path: Path) -> Callable[[Callable[[Any], None]], str]:
    """Change the `metrics.json` of a run and return the resulting card."""
    path = Path(shutil.copytree(trained_run, tmp_path / "run"))

    def write_card_with(change_metrics: Callable[[Any], None]) -> str:
        metrics = load_json(path / "metrics.json")
        change_metrics(metrics)
        (path / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
        return write_card(path).read_text(encoding="utf-8")

    return write_card_with


def test_run_writes_its_model_card(trained_run: Path) -> None:
    card = (trained_run / "MODEL_CARD.md").read_text(encoding="utf-8")
    _, head, body = card.split("---\n", 2)
    assert yaml.safe_load(head) == {
        "library_name": "mtl-core",
        "tags": ["multi-task-learning"],
        "metrics": ["accuracy"],
    }
    assert re.findall(r"^# (.+)$", body, re.MULTILINE) == ["tiny"]
    assert re.findall(r"^## (.+)$", body, re.MULTILINE) == SECTIONS


def test_metrics_match_the_files(trained_run: Path) -> None:
    card = (trained_run / "MODEL_CARD.md").read_text(encoding="utf-8")
    metrics = load_json(trained_run / "metrics.json")
    test_metrics = metrics["splits"]["test"]["tasks"]
    examples = metrics["data"]["examples"]
    reported_rows = {
        (row[0], row[1]): row[2:] for row in parse_table_rows(card, f"Test data, {examples['test']} examples")
    }
    for name, task_metrics in test_metrics.items():
        expected = [
            str(task_metrics["n"]),
            f"{task_metrics['accuracy']:.4f}",
            f"{task_metrics['majority_accuracy']:.4f}",
        ]
        assert reported_rows[name, "accuracy"] == expected
    counts = metrics["data"]["label_counts"]
    labels = {(row[0], row[1]): row[2:] for row in parse_table_rows(card, "Labels")}
    assert labels == {
        (task, label): [str(counts[split_name][task][label]) for split_name in examples]
        for task, label_counts in counts["train"].items()
        for label in label_counts
    }
    classes = {(row[0], row[1]): row[2:] for row in parse_table_rows(card, "Test data by class")}
    confusion = test_metrics["food"]["confusion"]
    state = load_json(trained_run / "state.json")
    names = next(task["space"]["classes"] for task in state["tasks"] if task["name"] == "food")
    for index, name in enumerate(names):
        n_examples, n_correct = sum(confusion[index]), confusion[index][index]
        assert classes["food", name][:2] == [str(n_examples), f"{100 * n_correct / n_examples:.1f} %"]


def test_card_is_reproducible_from_the_files(trained_run: Path, tmp_path: Path, mtl: Mtl) -> None:
    path = Path(shutil.copytree(trained_run, tmp_path / "elsewhere"))
    first = (path / "MODEL_CARD.md").read_bytes()
    (path / "MODEL_CARD.md").unlink()
    (path / "model.safetensors").unlink()
    assert mtl("report", path).returncode == 0
    assert (path / "MODEL_CARD.md").read_bytes() == first


def test_card_contains_no_local_paths(trained_run: Path) -> None:
    card = (trained_run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert str(trained_run.parent) not in card
    assert "train.xml" not in card or "/train.xml" not in card


def test_limits_follow_from_the_metrics(write_changed_card: Callable[[Callable[[Any], None]], str]) -> None:
    def worsen(metrics: Any) -> None:
        metrics["data"]["label_counts"]["train"]["food"]["negative"] = 7
        metrics["splits"]["test"]["tasks"]["food"] |= {"confusion": [[3, 9], [0, 0]], "accuracy": 0.25}
        metrics["calibration"] = {"values": {}, "errors": {"label": {"n": 40, "before": 0.2, "after": 0.05}}}
        metrics["licences"] = ["Weights come *from* somewhere."]

    limits = write_changed_card(worsen).partition("## Limits")[2]
    assert "food: negative (7)" in limits
    assert "The test split has no labels of these classes: food: negative." in limits
    assert "Recall below one half on the test split: food: positive (3 of 12)" in limits
    assert "No better than the baseline, which ignores the input: food" in limits
    assert "Calibrated on 40 predictions" in limits
    assert "is 0.2000 before and 0.0500 after" in limits
    assert r"- Weights come \*from\* somewhere." in limits


def test_missing_test_split_is_reported(write_changed_card: Callable[[Callable[[Any], None]], str]) -> None:
    def drop(metrics: Any) -> None:
        del metrics["splits"]["test"], metrics["data"]["examples"]["test"]

    assert "There is no test split." in write_changed_card(drop)


def test_names_are_escaped_in_tables(write_changed_card: Callable[[Callable[[Any], None]], str]) -> None:
    def rename(metrics: Any) -> None:
        for counts in metrics["data"]["label_counts"].values():
            counts["food"] = {"a|b <i>": 60, "c\nd": 60}

    card = write_changed_card(rename)
    assert [row[1] for row in parse_table_rows(card, "Labels")][:2] == [r"a\|b \<i\>", "c d"]


def test_kinds_without_classes_have_a_card(notes_run: Path) -> None:
    card = read_card(notes_run)
    assert card.kinds == {
        "place": "classification",
        "stars": "ordinal",
        "tags": "multi-label",
        "nights": "regression",
        "pos": "token-tagging",
    }
    tables = [block for section in build_sections(card) for block in section.blocks if isinstance(block, Table)]
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert any("lower is better" in row[1].text for table in tables for row in table.rows if len(row) == 5)


def test_server_returns_the_card(client: TestClient, notes_run: Path) -> None:
    card = (notes_run / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert client.get("/model?format=markdown").text == card
    assert client.get("/model", headers={"Accept": "text/markdown"}).text == card
    model_card = client.get("/model").json()
    assert [task["name"] for task in model_card["tasks"]] == ["place", "stars", "tags", "nights", "pos"]
    assert model_card["tasks"][0]["classes"] == ["campsite", "flat", "hotel"]
    expected_metrics = load_json(notes_run / "metrics.json")["splits"]["validation"]["tasks"]["place"]
    assert (
        model_card["tasks"][0]["splits"]["validation"]["metrics"]["accuracy"]["value"] == expected_metrics["accuracy"]
    )
    assert model_card["serving"] == {"max_text": 4000, "max_texts": 50, "max_bytes": 50000, "timeout": 30.0}
    assert model_card["limitations"]
    schema = client.get("/openapi.json").json()["components"]["schemas"]["ModelCardResponse"]
    assert set(model_card) == set(schema["properties"]) == set(schema["required"])


# ── licences ──


def test_components_report_licences(trained_run: Path, reviews: Path, tmp_path: Path) -> None:
    [note] = SemEval2014(train=reviews / "train.xml").list_licence_notes()
    assert "research" in note
    assert "must not be redistributed" in note
    assert load_json(trained_run / "metrics.json")["licences"] == [note]
    sample = Path(__file__).parents[2] / "absa_plugin" / "sample" / "train.xml"
    assert "Apache-2.0" in SemEval2014(train=sample).list_licence_notes()[0]
    assert describe_licence("blank:en") == []
    meta = {"lang": "xx", "name": "tiny", "version": "1.2", "license": "CC BY 4.0"}
    (tmp_path / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    assert describe_licence(str(tmp_path)) == [
        "Word vectors come from the spaCy pipeline xx_tiny 1.2; its licence: CC BY 4.0."
    ]
    assert "states no licence" in describe_licence("no_such_pipeline")[0]
