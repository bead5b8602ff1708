"""File extensions of the supported table formats."""

from pathlib import Path

from mtl_core.errors import MtlError, did_you_mean, listed

ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")


def check_ending(path: Path) -> str:
    """Return a file's extension in lower case.

    Raises:
        MtlError: If the extension is not supported.
    """
    ending = path.suffix.lower()
    if ending in ENDINGS:
        return ending
    hint = did_you_mean(ending, ENDINGS) if ending else ""
    found = f"the file extension '{ending}'" if ending else "a missing file extension"
    raise MtlError(f"{path}: {found} is not supported for tables{hint} (supported: {listed(ENDINGS)})")
