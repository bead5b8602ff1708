"""Where the data is that may not be committed: in a folder `shared` beside the checkout."""

import sys
from pathlib import Path

SHARED = Path(__file__).parents[2] / "shared"
TRAIN = SHARED / "data/semeval2014/Restaurants_Train_v2.xml"
PIPELINE = SHARED / "models/en_core_web_md"


def require_shared() -> None:
    """Stop if the data is not there."""
    for path in (TRAIN, PIPELINE):
        if not path.exists():
            sys.exit(f"this benchmark needs {path.relative_to(SHARED.parent)} beside the checkout")


def mtl() -> str:
    """The command line of this very environment."""
    return str(Path(sys.executable).parent / "mtl")
