"""Runs with several input columns: training, predictions for rows, and what their files contain."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from mixed_rows import INPUTS, build_rows, write_csv
from typer.testing import CliRunner

from mtl_core.artifacts.mistakes import Mistake
from mtl_core.cli.app import app
from mtl_core.config.load import load_experiment
from mtl_core.errors import MtlError
from mtl_core.reporting.blocks import Quotes
from mtl_core.reporting.run.mistakes_section import build_mistakes_section
from mtl_core.runs.run import run_experiment

EXPERIMENT: dict[str, Any] = {
    "name": "rows",
    "data": {"type": "table", "train": "train.csv", "test": "test.csv", "inputs": INPUTS},
    "encoder": {"type": "columns", "columns": {"review": {"dimensions": 4}, "cuisine": {"dimensions": 3}}},
    "backbone": {"type": "mlp", "hidden_dims": [8]},
    "tasks": [
        {"name": "recommend", "kind": "classification", "head": "linear"},
        {"name": "rating", "kind": "regression", "head": "linear"},
    ],
    "optimizer": {"type": "adam", "lr": 0.01},
    "training": {"epochs": 2, "batch_size": 16, "refit": False},
}


def write_experiment(folder: Path, **keys: Any) -> Path:
    write_csv(folder / "train.csv", build_rows(80, seed=1, missing=0.05))
    write_csv(folder / "test.csv", build_rows(20, seed=2, missing=0.05))
    path = folder / "rows.yaml"
    path.write_text(yaml.safe_dump({**EXPERIMENT, **keys}, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    run_experiment(load_experiment(write_experiment(folder)).config, folder / "run")
    return folder / "run"


def invoke(*arguments: object, stdin: str | None = None) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)
    if isinstance(result.exception, MtlError):  # printed as the only line of standard error
        return str(result.exception)
    assert result.exit_code == 0, result.output
    return result.output


def predict(run: Path, *arguments: object, stdin: str | None = None) -> list[dict[str, Any]]:
    return [json.loads(line) for line in invoke("predict", run, "--json", *arguments, stdin=stdin).splitlines()]


def read_predictions(run: Path) -> list[dict[str, Any]]:
    lines = (run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_predictions_contain_the_cells(run: Path) -> None:
    record = next(record for record in read_predictions(run) if None not in record["inputs"].values())
    expected = build_rows(20, seed=2, missing=0.05)[int(record["id"]) - 1]
    assert record["inputs"] == {name: expected[name] for name in INPUTS}
    price = f"{expected['price']:g}"
    assert record["text"].startswith(f"review: {expected['review']}, price: {price}, wait: ")


def test_rows_of_files_are_predicted_like_the_test_split(run: Path, tmp_path: Path) -> None:
    """Labels are not needed, and the order of columns does not matter."""
    rows = build_rows(20, seed=2, missing=0.05)
    inputs = [{name: row[name] for name in reversed(INPUTS)} for row in rows]
    path = write_csv(tmp_path / "new.csv", inputs)
    lines = tmp_path / "new.jsonl"
    lines.write_text("".join(json.dumps({**row, "text": "unused"}) + "\n" for row in inputs), encoding="utf-8")
    expected = [record["tasks"] for record in read_predictions(run)]
    for name in (path, lines):
        records = predict(run, "--input", name)
        assert len(records) == 20
        for record, tasks in zip(records, expected, strict=True):
            assert record["tasks"]["recommend"]["label"] == tasks["recommend"]["label"]
            assert record["tasks"]["rating"]["label"] == pytest.approx(tasks["rating"]["label"], abs=1e-4)


def test_json_objects_are_rows(run: Path) -> None:
    rows = [{"review": "good soup", "price": "20", "wait": 5, "seats": None, "cuisine": "never seen"}]
    as_json = json.dumps(rows[0])
    assert predict(run, as_json)[0]["inputs"] == {
        "review": "good soup",
        "price": 20.0,
        "wait": 5.0,
        "seats": None,
        "cuisine": "never seen",
    }
    assert predict(run, "-", stdin=as_json + "\n")[0]["tasks"] == predict(run, as_json)[0]["tasks"]
    assert "review: good soup, price: 20, wait: 5, cuisine: never seen" in invoke("predict", run, as_json)


def test_columns_change_predictions(run: Path) -> None:
    row = {"review": "good soup", "price": 20, "wait": 5, "seats": 20, "cuisine": "thai"}
    base = predict(run, json.dumps(row))[0]["tasks"]["rating"]["label"]
    for name, cell in {"review": "bad", "price": 60, "wait": 40, "seats": 80, "cuisine": "diner"}.items():
        assert predict(run, json.dumps({**row, name: cell}))[0]["tasks"]["rating"]["label"] != base, name


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "review,pric,wait,seats,cuisine\nx,1,1,1,thai\n", "a.csv:1: no column 'price'; did you mean 'pric'?"),
        ("a.csv", "review,price,wait,seats,cuisine\nx,1,1,many,thai\n", "a.csv:2: column 'seats': expected a number"),
        ("a.jsonl", '{"review": "x", "price": 1}\n', "a.jsonl: no column 'wait' (columns: review, price)"),
        ("a.txt", "good soup\n", "a.txt:1: the inputs of this run are rows with the columns review, price, wait,"),
    ],
)
def test_messages_of_predictions(name: str, text: str, message: str, run: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text, encoding="utf-8")
    output = invoke("predict", run, "--input", tmp_path / name)
    assert message in output
    assert "Traceback" not in output


def test_text_for_rows(run: Path) -> None:
    assert "text 1: the inputs of this run are rows with the columns review, price" in invoke("predict", run, "soup")
    assert "text 1: no column 'wait' (columns: review, price)" in invoke("predict", run, '{"review": "x", "price": 1}')
    assert "text 1: not valid JSON" in invoke("predict", run, '{"review": ')


def test_evaluation_of_a_file(run: Path) -> None:
    output = invoke("evaluate", run, "--data", run.parent / "test.csv")
    assert "recommend" in output
    assert "rating" in output


def test_required_cells_name_row_and_column(tmp_path: Path) -> None:
    encoder = {"type": "columns", "missing": {"price": "error"}}
    path = write_experiment(tmp_path, encoder=encoder)
    with (tmp_path / "train.csv").open(encoding="utf-8") as file:
        row = next(number for number, record in enumerate(csv.DictReader(file), start=2) if not record["price"])
    with pytest.raises(MtlError, match=rf"train\.csv:{row}: column 'price': the cell is missing$"):
        run_experiment(load_experiment(path).config, tmp_path / "run")


def test_encoder_of_texts_refuses_rows(tmp_path: Path) -> None:
    path = write_experiment(tmp_path, encoder={"type": "embedding"})
    with pytest.raises(MtlError, match=r"train\.csv:2: the encoder 'embedding' reads texts, found a row of cells"):
        run_experiment(load_experiment(path).config, tmp_path / "run")


def test_unknown_categories_can_be_refused(tmp_path: Path) -> None:
    encoder = {"type": "columns", "columns": {"cuisine": {"oov": "error"}}}
    path = write_experiment(tmp_path, encoder=encoder)
    run_experiment(load_experiment(path).config, tmp_path / "run")
    row = {"review": "x", "price": 1, "wait": 1, "seats": 1, "cuisine": "thay"}
    message = "text 1: column 'cuisine': the category 'thay' does not occur in the training data; did you mean 'thai'?"
    assert message in invoke("predict", tmp_path / "run", json.dumps(row))


def test_single_text_column(tmp_path: Path) -> None:
    data = {**EXPERIMENT["data"], "inputs": {"review": "text"}, "labels": ["recommend", "rating"]}
    path = write_experiment(tmp_path, data=data, encoder={"type": "columns", "columns": {"review": {"dimensions": 4}}})
    run_experiment(load_experiment(path).config, tmp_path / "run")
    assert predict(tmp_path / "run", "good soup")[0]["inputs"] == {"review": "good soup"}


def test_mistakes_are_small_tables(run: Path) -> None:
    lines = (run / "mistakes.jsonl").read_text(encoding="utf-8").splitlines()
    mistakes = [json.loads(line) for line in lines]
    assert mistakes
    by_id = {record["id"]: record["inputs"] for record in read_predictions(run)}
    assert all(mistake["inputs"] == by_id[mistake["id"]] for mistake in mistakes)
    invoke("report", run)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert page.count('<table class="cells">') == len(mistakes)
    assert page.count('<tr><th scope="row">price</th><td>') == len(mistakes)
    assert "not a text" not in page


def test_attention_shades_the_cell_with_the_tokens() -> None:
    inputs = {"title": "A soup", "review": "Good soup", "price": 3.0, "cuisine": None}
    mistake = Mistake(
        task="t",
        id="7",
        text="",
        inputs=inputs,
        tokens=["Good", "soup"],
        label="a",
        gold="b",
        confidence=0.9,
        attention=[0.75, 0.25],
    )
    section = build_mistakes_section([mistake], 1)
    assert section is not None
    quotes = section.blocks[1]
    assert isinstance(quotes, Quotes)
    quote = quotes.quotes[0]
    assert [(name, "".join(span.text for span in spans)) for name, spans in quote.cells] == [
        ("title", "A soup"),
        ("review", "Good soup"),
        ("price", "3"),
        ("cuisine", "—"),
    ]
    assert [span.heat for span in quote.cells[1][1] if span.text.strip()] == [0.5, pytest.approx(1 / 6)]
    assert not any(span.heat for name, spans in quote.cells for span in spans if name != "review")
    assert quote.notes[0].startswith("highest attention: “Good” 0.75")
