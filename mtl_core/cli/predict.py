"""`mtl predict`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from mtl_core.artifacts.parquet_predictions import write_parquet
from mtl_core.artifacts.safetensors_predictions import write_safetensors
from mtl_core.atomic import write_atomically
from mtl_core.errors import MtlError
from mtl_core.progress.bars import print_plain

if TYPE_CHECKING:
    from mtl_core.runs.precision import Precision
    from mtl_core.runs.prediction_inputs import PredictionInput
    from mtl_core.runs.saved_run import SavedRun

ARRAY_WRITERS = {".safetensors": write_safetensors, ".parquet": write_parquet}
"""Extension of an output file to the function that writes it; all other files are JSON Lines."""


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
    masks: Path | None = None,
) -> None:
    """Predict, and print or write the predictions."""
    if texts and file is not None:
        raise MtlError("give texts or --input, not both")
    if not texts and file is None and sys.stdin.isatty():
        raise MtlError('nothing to predict for: give a TEXT, --input FILE, or "-" for standard input')
    if output is not None and not output.parent.is_dir():
        raise MtlError(f"--output {output}: the folder {output.parent} does not exist")

    from mtl_core.runs.precision import convert_precision
    from mtl_core.runs.predict_inputs import predict, predict_file
    from mtl_core.runs.predicted_masks import MaskWriter
    from mtl_core.runs.saved_run import load_run

    saved_run = convert_precision(load_run(path, plugins), precision)
    predicted_tasks = [task for group in saved_run.groups if group.is_predicted for task in group.tasks]
    if masks is not None and not any(task.config.kind.level == "pixel" for task in predicted_tasks):
        raise MtlError(f"--masks {masks}: no task of this run has labels per pixel")
    mask_writer = None if masks is None else MaskWriter(masks)
    if output is not None and output.suffix.lower() in ARRAY_WRITERS:
        _write_arrays(output, saved_run, texts, file, data_set, attention or masks is not None)
        return
    records: Iterator[dict[str, Any]]
    if file is not None:
        records = predict_file(saved_run, file, attention, data_set, mask_writer, _print_warning)
    else:
        records = predict(saved_run, _open_texts(texts), attention, data_set, mask_writer)
    if output is not None:
        count = _write_predictions(output, records)
        typer.echo(f"{output}: {count} predictions")
    elif as_json:
        for record in records:
            sys.stdout.write(json.dumps(record, ensure_ascii=False) + "\n")
    else:
        _print_readable(records)


def _open_texts(texts: Sequence[str]) -> Iterable[PredictionInput]:
    """Return the texts of the command line, or the lines of standard input."""
    from mtl_core.runs.prediction_inputs import parse_text_lines, parse_texts

    if not texts or list(texts) == ["-"]:
        return parse_text_lines(sys.stdin, "standard input")
    return parse_texts(texts)


def _write_arrays(
    output_path: Path,
    saved_run: SavedRun,
    texts: Sequence[str],
    file: Path | None,
    data_set: str | None,
    has_further_outputs: bool,
) -> None:
    """Write predictions in a compact format, which the extension of the file selects."""
    from mtl_core.runs.predict_arrays import check_arrays, predict_arrays, predict_file_arrays

    if has_further_outputs:
        raise MtlError(f"--output {output_path}: attention weights and masks are written to .jsonl only")
    check_arrays(saved_run, output_path)
    if file is not None:
        predictions = predict_file_arrays(saved_run, file, data_set)
    else:
        predictions = predict_arrays(saved_run, _open_texts(texts), data_set)
    ARRAY_WRITERS[output_path.suffix.lower()](output_path, predictions)
    typer.echo(f"{output_path}: {len(predictions.ids)} predictions")


def _print_warning(warning: str) -> None:
    """Print a warning to standard error, so that predictions on standard output stay as they are."""
    print_plain(Console(stderr=True), f"note: {warning}")


def _write_predictions(output_path: Path, records: Iterable[dict[str, Any]]) -> int:
    count = 0

    def write(path: Path) -> None:
        nonlocal count
        with path.open("w", encoding="utf-8") as lines:
            for count, record in enumerate(records, start=1):  # noqa: B007
                lines.write(json.dumps(record, ensure_ascii=False) + "\n")

    write_atomically(output_path, write)
    return count


def _print_readable(records: Iterable[dict[str, Any]]) -> None:
    console = Console()
    for record in records:
        print_plain(console, record["text"] or record["id"], style="bold")
        width = max((len(name) for name in record["tasks"]), default=0)
        if not record["tasks"]:
            console.print("  nothing found", highlight=False)
        for name, task in record["tasks"].items():
            line = f"  {name:<{width}}  {_format_prediction(task, record.get('tokens', []))}"
            if "attention" in task:
                heaviest = sorted(zip(task["attention"], record["tokens"], strict=True), reverse=True)[:3]
                line += "  attention: " + ", ".join(f"{token} {weight:.2f}" for weight, token in heaviest)
            print_plain(console, line)


def _format_prediction(task: dict[str, Any], tokens: Sequence[str]) -> str:
    """Format a prediction: a class with its probability, a number, a list of labels, or one label per token."""
    label = task["label"]
    if "height" in task:
        return _format_mask(task)
    if (isinstance(label, list) and "confidence" in task) or (
        isinstance(label, list) and len(label) == len(tokens) > 0
    ):
        return " ".join(
            f"{token}/{_format_label(token_label)}" for token, token_label in zip(tokens, label, strict=True)
        )
    if isinstance(label, list):
        return ", ".join(map(_format_label, label)) or "none"
    confidence = task["probabilities"].get(label)
    if "detection" in task:  # probabilities are joint: detected, and this class
        return f"{_format_label(label)}  {confidence / task['detection']:.2f}  detected: {task['detection']:.2f}"
    return _format_label(label) + (f"  {confidence:.2f}" if confidence is not None else "")


def _format_mask(task: dict[str, Any]) -> str:
    """Format a predicted mask: its size, the shares of its classes or its mean, and its file."""
    text = f"{task['height']} x {task['width']} pixels"
    if "shares" in task:
        text += ": " + ", ".join(f"{name} {share:.0%}" for name, share in list(task["shares"].items())[:5])
    elif isinstance(task.get("mean"), float):
        text += f": mean {task['mean']:.4g}, {task['minimum']:.4g} to {task['maximum']:.4g}"
    return text + (f"  {task['label']}" if task["label"] else "")


def _format_label(label: object) -> str:
    return f"{label:.4g}" if isinstance(label, float) else str(label)
