"""Paths of the data that must not be committed: the folder `shared` next to the checkout."""

import sys
from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared"
TRAIN = SHARED / "data/semeval2014/Restaurants_Train_v2.xml"
PIPELINE = SHARED / "models/en_core_web_md"


def require_shared() -> None:
    """Exit if the data is missing."""
    for path in (TRAIN, PIPELINE):
        if not path.exists():
            sys.exit(f"this benchmark needs {path.relative_to(SHARED.parent)} next to the checkout")


def find_mtl() -> str:
    """Return the path of the command `mtl` in this environment."""
    return str(Path(sys.executable).parent / "mtl")
