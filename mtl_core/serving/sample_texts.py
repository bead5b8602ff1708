"""Example texts for a network, and the prediction of one of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.runs.saved_run import SavedRun

N_TEXTS = 4
MAX_LINES = 200
"""The maximum number of lines of `predictions.jsonl` to read."""
TEXT_LENGTHS = range(20, 240)
"""The lengths of example texts, in characters."""
DEFAULT_TEXT = "This is a text."


@dataclass(frozen=True)
class Samples:
    """Example texts, and an example request with its response.

    Attributes:
        texts: The texts.
        request: The body of the request.
        response: The body of the response.
    """

    texts: Sequence[str]
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def batch_request(self) -> dict[str, Any]:
        """The body of a request with two texts."""
        return {"texts": [self.texts[0], {"id": "r-17", "text": self.texts[-1]}]}

    @property
    def batch_response(self) -> dict[str, Any]:
        """The body of a response to such a request."""
        return {"predictions": [{**self.response, "id": "1"}]}


def load_sample_texts(path: Path, saved: SavedRun) -> list[str]:
    """Return example texts: those of the loader, or texts of the run's predictions with many different labels."""
    loader_texts = list(saved.get_loader().sample_texts)
    return loader_texts or _read_predicted_texts(RunDirectory(path).predictions) or [DEFAULT_TEXT]


def _read_predicted_texts(predictions: Path) -> list[str]:
    if not predictions.is_file():
        return []
    label_counts: dict[str, int] = {}
    with predictions.open(encoding="utf-8") as lines:
        for line, _ in zip(lines, range(MAX_LINES), strict=False):
            try:
                record = json.loads(line)
                text, n_labels = str(record["text"]), len({str(task["label"]) for task in record["tasks"].values()})
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if len(text) in TEXT_LENGTHS and text.strip():
                label_counts.setdefault(text, n_labels)
    return sorted(label_counts, key=lambda text: -label_counts[text])[:N_TEXTS]
