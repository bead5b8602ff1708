"""Paths of the data: the packaged sample, and data that must not be committed, in `shared` next to the checkout."""

import sys
from pathlib import Path

from absa_plugin.semeval import SemEval2014

SAMPLE = Path(__file__).parents[1] / "absa_plugin/sample/train.xml"
SHARED = Path(__file__).parents[2] / "shared"
TRAIN = SHARED / "data/semeval2014/Restaurants_Train_v2.xml"
PIPELINE = SHARED / "models/en_core_web_md"
MOLECULES = SHARED / "data/molecules"


def require_shared() -> None:
    """Exit if the data is missing."""
    for path in (TRAIN, PIPELINE, MOLECULES):
        if not path.exists():
            sys.exit(f"this benchmark needs {path.relative_to(SHARED.parent)} next to the checkout")


def load_sentences(path: Path) -> list[str]:
    """Return the sentences of a SemEval-2014 file."""
    return [str(text) for text in SemEval2014(train=path).load().inputs]
