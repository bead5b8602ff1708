"""`mtl evaluate` and `mtl predict`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from mtl_core.atomic import write_atomically
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    from mtl_core.runs.precision import Precision


def evaluate_command(
    path: Path,
    data: Path | None,
    data_set: str | None,
    as_json: bool,
    precision: Precision,
    plugins: Sequence[str],
) -> None:
    """Evaluate a run and print the table."""
    if data_set is not None and data is None:
        raise MtlError("--data-set selects the data set of the --data file; give --data FILE too")
    from mtl_core.evaluation.table import score_table
    from mtl_core.runs.evaluate import evaluate_file, evaluate_test_part
    from mtl_core.runs.precision import in_precision
    from mtl_core.runs.results import json_text, scores_report
    from mtl_core.runs.saved import load_run

    saved = in_precision(load_run(path, plugins), precision)
    evaluation = evaluate_file(saved, data, data_set) if data is not None else evaluate_test_part(saved)
    if as_json:
        report = {"examples": evaluation.examples, "notice": evaluation.corpus.notice}
        typer.echo(json_text({**report, **scores_report(evaluation.scores)}), nl=False)
        return
    console = Console()
    if evaluation.corpus.notice:
        console.print(evaluation.corpus.notice, style="bold yellow", highlight=False)
    for finding in evaluation.corpus.findings:
        console.print(f"note: {finding}", highlight=False, markup=False, soft_wrap=True)
    title = f"{saved.config.name}: {data or 'test'}, {evaluation.examples} examples"
    console.print(score_table(evaluation.scores, title))


def predict_command(
    path: Path,
    texts: Sequence[str],
    file: Path | None,
    data_set: str | None,
    output: Path | None,
    as_json: bool,
    attention: bool,
    precision: Precision,
    plugins: Sequence[str],
) -> None:
    """Predict, and print or write the predictions."""
    if texts and file is not None:
        raise MtlError("give texts or --input, not both")
    if not texts and file is None and sys.stdin.isatty():
        raise MtlError('nothing to predict for: give a TEXT, --input FILE, or "-" for standard input')
    if output is not None and not output.parent.is_dir():
        raise MtlError(f"--output {output}: the folder {output.parent} does not exist")

    from mtl_core.runs.precision import in_precision
    from mtl_core.runs.predict import predict, predict_file, questions_from_lines, questions_from_texts
    from mtl_core.runs.saved import load_run

    saved = in_precision(load_run(path, plugins), precision)
    records: Iterator[dict[str, Any]]
    if file is not None:
        records = predict_file(saved, file, attention, data_set)
    elif not texts or list(texts) == ["-"]:
        records = predict(saved, questions_from_lines(sys.stdin, "standard input"), attention, data_set)
    else:
        records = predict(saved, questions_from_texts(texts), attention, data_set)
    if output is not None:
        count = _write(output, records)
        typer.echo(f"{output}: {count} predictions")
    elif as_json:
        for record in records:
            sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    else:
        _print_readable(records)


def _write(output: Path, records: Iterable[dict[str, Any]]) -> int:
    count = 0

    def write(path: Path) -> None:
        nonlocal count
        with path.open("w", encoding="utf-8") as lines:
            for count, record in enumerate(records, start=1):  # noqa: B007
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")

    write_atomically(output, write)
    return count


def _print_readable(records: Iterable[dict[str, Any]]) -> None:
    console = Console()
    for record in records:
        console.print(record["text"] or record["id"], style="bold", highlight=False, markup=False, soft_wrap=True)
        width = max((len(name) for name in record["tasks"]), default=0)
        if not record["tasks"]:
            console.print("  nothing found", highlight=False)
        for name, task in record["tasks"].items():
            line = f"  {name:<{width}}  {_shown(task, record.get('tokens', []))}"
            if "attention" in task:
                heaviest = sorted(zip(task["attention"], record["tokens"], strict=True), reverse=True)[:3]
                line += "  attention: " + ", ".join(f"{token} {weight:.2f}" for weight, token in heaviest)
            console.print(line, highlight=False, markup=False, soft_wrap=True)


def _shown(task: dict[str, Any], tokens: Sequence[str]) -> str:
    """Format a prediction: a class with its probability, a number, a list of labels, or one label per token."""
    label = task["label"]
    if (isinstance(label, list) and "confidence" in task) or (
        isinstance(label, list) and len(label) == len(tokens) > 0
    ):
        return " ".join(f"{token}/{_text(one)}" for token, one in zip(tokens, label, strict=True))
    if isinstance(label, list):
        return ", ".join(map(_text, label)) or "none"
    sure = task["probabilities"].get(label)
    if "detection" in task:  # probabilities are joint: detected, and this class
        return f"{_text(label)}  {sure / task['detection']:.2f}  detected: {task['detection']:.2f}"
    return _text(label) + (f"  {sure:.2f}" if sure is not None else "")


def _text(label: object) -> str:
    return f"{label:.4g}" if isinstance(label, float) else str(label)
