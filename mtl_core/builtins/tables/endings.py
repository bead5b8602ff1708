"""Which format a table has, by the ending of its file."""

from pathlib import Path

from mtl_core.errors import MtlError, did_you_mean, listed

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")


def check_ending(path: Path) -> str:
    """Give a file's ending in small letters.

    Raises:
        MtlError: If no table has it.
    """
    ending = path.suffix.lower()
    if ending in ENDINGS:
        return ending
    hint = did_you_mean(ending, ENDINGS) if ending else ""
    found = f"'{ending}' is" if ending else "no ending is"
    raise MtlError(f"{path}: {found} no ending of a table{hint} (endings: {listed(ENDINGS)})")
