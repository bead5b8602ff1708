"""File extensions of the supported table formats."""

from pathlib import Path

from mtl_core.errors import MtlError, did_you_mean, join_names

EXTENSIONS = (".csv", ".tsv", ".jsonl", ".parquet")


def validate_extension(path: Path) -> str:
    """Return a file's extension in lower case.

    Raises:
        MtlError: If the extension is not supported.
    """
    extension = path.suffix.lower()
    if extension in EXTENSIONS:
        return extension
    hint = did_you_mean(extension, EXTENSIONS) if extension else ""
    description = f"the file extension '{extension}'" if extension else "a missing file extension"
    raise MtlError(f"{path}: {description} is not supported for tables{hint} (supported: {join_names(EXTENSIONS)})")
