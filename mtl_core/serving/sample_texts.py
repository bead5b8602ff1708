"""Example texts or rows for a network, and the prediction of one of them."""

import base64
import json
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.artifacts.saved_predictions import read_prediction_arrays
from mtl_core.data.png_encoding import encode_png
from mtl_core.errors import MtlError
from mtl_core.runs.prediction_inputs import get_row_columns
from mtl_core.runs.saved_run import SavedRun

N_TEXTS = 4
MAX_LINES = 200
"""The maximum number of lines of `predictions.jsonl` to read."""
TEXT_LENGTHS = range(20, 240)
"""The lengths of example texts, in characters."""
MAX_IMAGE_BYTES = 20_000
"""The maximum size of an image file that becomes part of an example."""
DEFAULT_TEXT = "This is a text."


@dataclass(frozen=True)
class Samples:
    """Example texts or rows, and an example request with its response.

    Attributes:
        examples: The texts, or the rows of cells by column.
        request: The body of the request.
        response: The body of the response.
    """

    examples: Sequence[str] | Sequence[Mapping[str, Any]]
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def batch_request(self) -> dict[str, Any]:
        """The body of a request with two examples."""
        if not isinstance(self.examples[0], str):
            return {"rows": [{"inputs": self.examples[0]}, {"id": "r-17", "inputs": self.examples[-1]}]}
        return {"texts": [self.examples[0], {"id": "r-17", "text": self.examples[-1]}]}

    @property
    def batch_response(self) -> dict[str, Any]:
        """The body of a response to such a request."""
        return {"predictions": [{**self.response, "id": "1"}]}


def load_examples(path: Path, saved: SavedRun) -> Sequence[str] | Sequence[Mapping[str, Any]]:
    """Return example texts, or rows: those of the loader, or of the run's predictions with many different labels."""
    loader, predictions = saved.get_loader(), RunDirectory(path).find_predictions()
    if get_row_columns(loader):
        rows = _read_predicted_rows(predictions) or [dict.fromkeys(loader.input_types)]
        return [{name: _embed(cell, loader.input_types.get(name)) for name, cell in row.items()} for row in rows]
    texts = list(loader.sample_texts) or _read_predicted_texts(predictions)
    if saved.encoder.image_size is not None:
        images = [embedded for text in texts if (embedded := _embed(text, "image")) is not None]
        return images or [_build_blank_image(saved.encoder.image_size)]
    return texts or [DEFAULT_TEXT]


def _build_blank_image(size: tuple[int, int]) -> str:
    return f"data:image/png;base64,{base64.b64encode(encode_png(np.full(size, 255, dtype=np.uint8))).decode()}"


def _embed(cell: Any, column_type: str | None) -> Any:
    """Return a cell as clients send it: a small image file as a data URL, a large one as a missing cell."""
    if column_type != "image" or not isinstance(cell, str) or cell.startswith("data:"):
        return cell
    path = Path(cell)
    if not path.is_file() or path.stat().st_size > MAX_IMAGE_BYTES:
        return None
    media_type = mimetypes.guess_type(path.name)[0] or "image/png"
    return f"data:{media_type};base64,{base64.b64encode(path.read_bytes()).decode()}"


def _read_predicted_rows(predictions: Path | None) -> list[Mapping[str, Any]]:
    """Return rows of predictions; those without missing cells first."""
    rows = [record["inputs"] for record in _iterate_records(predictions) if isinstance(record.get("inputs"), dict)]
    return sorted(rows, key=lambda row: list(row.values()).count(None))[:N_TEXTS]


def _read_predicted_texts(predictions: Path | None) -> list[str]:
    label_counts: dict[str, int] = {}
    for record in _iterate_records(predictions):
        try:
            tasks = record.get("tasks", {})  # files of many tasks contain the inputs of some examples without them
            text, n_labels = str(record["text"]), len({str(task["label"]) for task in tasks.values()})
        except (KeyError, TypeError, AttributeError):
            continue
        if len(text) in TEXT_LENGTHS and text.strip():
            label_counts.setdefault(text, n_labels)
    return sorted(label_counts, key=lambda text: -label_counts[text])[:N_TEXTS]


def _iterate_records(predictions: Path | None) -> Iterator[Mapping[str, Any]]:
    """Yield the objects in the first lines of `predictions.jsonl`; damaged lines are skipped.

    Of other formats, yield the first examples, without predictions; of a damaged file none.
    """
    if predictions is None:
        return
    if predictions.suffix != ".jsonl":
        with suppress(MtlError):
            yield from read_prediction_arrays(predictions).samples
        return
    with predictions.open(encoding="utf-8") as lines:
        for line, _ in zip(lines, range(MAX_LINES), strict=False):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record
