"""The fingerprint of a model's files."""

import hashlib
from functools import lru_cache
from pathlib import Path

from mtl_transformers.model_files import check_weights

_OTHERS = ("config.json", "tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "merges.txt")


def fingerprint(folder: Path) -> str:
    """Return a hash of the contents of a model's files: weights, config and tokenizer.

    Raises:
        MtlError: If the model has no weights.
    """
    files = [*check_weights(folder), *(folder / name for name in _OTHERS if (folder / name).is_file())]
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        about = path.stat()
        digest.update(f"{path.name}\n".encode() + _of_file(path, about.st_size, about.st_mtime_ns))
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _of_file(path: Path, size: int, changed: int) -> bytes:
    """Hash the contents of a file; size and modification time are part of the cache key."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
