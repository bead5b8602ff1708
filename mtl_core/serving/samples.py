"""Example texts for a network, and the prediction of one of them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.runs.directory import RunDirectory
from mtl_core.runs.saved import SavedRun

TEXTS = 4
READ = 200
"""The maximum number of lines of `predictions.jsonl` to read."""
LETTERS = range(20, 240)
"""The lengths of example texts, in characters."""
LAST_RESORT = "This is a text."


@dataclass(frozen=True)
class Samples:
    """Example texts, and an example request with its response.

    Attributes:
        texts: The texts.
        asked: The body of the request.
        answered: The body of the response.
    """

    texts: Sequence[str]
    asked: dict[str, Any]
    answered: dict[str, Any]

    @property
    def batch_asked(self) -> dict[str, Any]:
        """The body of a request with two texts."""
        return {"texts": [self.texts[0], {"id": "r-17", "text": self.texts[-1]}]}

    @property
    def batch_answered(self) -> dict[str, Any]:
        """The body of a response to such a request."""
        return {"answers": [{**self.answered, "id": "1"}]}


def sample_texts(path: Path, saved: SavedRun) -> list[str]:
    """Return example texts: those of the loader, or texts of the run's predictions with many different labels."""
    own = list(saved.loader().sample_texts)
    return own or _asked_before(RunDirectory(path).predictions) or [LAST_RESORT]


def _asked_before(predictions: Path) -> list[str]:
    if not predictions.is_file():
        return []
    found: dict[str, int] = {}
    with predictions.open(encoding="utf-8") as lines:
        for line, _ in zip(lines, range(READ), strict=False):
            try:
                record = json.loads(line)
                text, told = str(record["text"]), len({str(task["label"]) for task in record["tasks"].values()})
            except (ValueError, KeyError, TypeError, AttributeError):
                continue
            if len(text) in LETTERS and text.strip():
                found.setdefault(text, told)
    return sorted(found, key=lambda text: -found[text])[:TEXTS]
