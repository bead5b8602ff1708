"""File extensions of the supported table formats."""

from pathlib import Path

from mtl_core.data.files.compression import COMPRESSED_EXTENSION, is_compressed
from mtl_core.errors import MtlError, did_you_mean, join_names

TEXT_EXTENSIONS = (".csv", ".tsv", ".jsonl")
EXTENSIONS = (*TEXT_EXTENSIONS, ".parquet")


def validate_extension(path: Path) -> str:
    """Return a file's extension in lower case, without `.gz`: text formats may be compressed.

    Raises:
        MtlError: If the extension is not supported.
    """
    is_text_compressed = is_compressed(path) and Path(path.stem).suffix.lower() in TEXT_EXTENSIONS
    extension = Path(path.stem if is_text_compressed else path.name).suffix.lower()
    if extension in EXTENSIONS:
        return extension
    hint = did_you_mean(extension, EXTENSIONS) if extension else ""
    description = f"the file extension '{extension}'" if extension else "a missing file extension"
    raise MtlError(
        f"{path}: {description} is not supported for tables{hint} (supported: {join_names(EXTENSIONS)}, and "
        f"{join_names([extension + COMPRESSED_EXTENSION for extension in TEXT_EXTENSIONS])})"
    )
