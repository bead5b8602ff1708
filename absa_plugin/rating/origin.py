"""What ratings were made of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from absa_plugin.rating.reviews import Survey
from absa_plugin.rating.settings import Columns
from mtl_core.runs.directory import RunDirectory


@dataclass(frozen=True)
class Origin:
    """What ratings were made of.

    Attributes:
        file: The name of the file of reviews.
        columns: What stands where in it.
        survey: What it holds.
        experiment: The name of the run's experiment.
        notice: What every output of that run must say.
    """

    file: str
    columns: Columns
    survey: Survey
    experiment: str
    notice: str = ""

    @property
    def noun(self) -> str:
        """What a product is called."""
        return self.columns.by or "product"


def notice_of(path: Path) -> str:
    """What every output of a run must say, such as that it learned from a sample; may be empty."""
    try:
        return str(json.loads(RunDirectory(path).metrics.read_text(encoding="utf-8"))["data"]["notice"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # a run without figures can rate all the same


def fingerprint_of(path: Path) -> str:
    """Of what a run's answers depend on."""
    run = RunDirectory(path)
    digest = hashlib.blake2b(digest_size=16)
    for file in (run.config, run.state, run.weights):
        with file.open("rb") as data:
            digest.update(hashlib.file_digest(data, "blake2b").digest())
    return digest.hexdigest()
