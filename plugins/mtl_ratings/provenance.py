"""The provenance of ratings: the file of reviews and the run."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from mtl_core import RunDirectory
from mtl_ratings.scan import ReviewScan
from mtl_ratings.settings import Columns


@dataclass(frozen=True)
class Provenance:
    """The provenance of ratings.

    Attributes:
        file: The name of the file of reviews.
        columns: The names of its columns.
        scan: The result of the validation pass over the file.
        experiment: The name of the run's experiment.
        disclaimer: The text that every output of that run must contain.
    """

    file: str
    columns: Columns
    scan: ReviewScan
    experiment: str
    disclaimer: str = ""

    @property
    def noun(self) -> str:
        """The noun for a product, for headings: the name of its column."""
        return self.columns.by or "product"


def load_disclaimer(path: Path) -> str:
    """Return the text that every output of a run must contain, such as a note about sample data; may be empty."""
    try:
        return str(json.loads(RunDirectory(path).metrics.read_text(encoding="utf-8"))["data"]["disclaimer"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # a run without metrics can be used too


def compute_fingerprint(path: Path) -> str:
    """Return the hash of the files that determine a run's predictions."""
    run = RunDirectory(path)
    digest = hashlib.blake2b(digest_size=16)
    for file in (run.config, run.state, run.weights):
        with file.open("rb") as data:
            digest.update(hashlib.file_digest(data, "blake2b").digest())
    return digest.hexdigest()
