"""The fingerprint of a model's files."""

import hashlib
from functools import lru_cache
from pathlib import Path

from mtl_transformers.model_files import find_weight_files

_CONFIG_AND_TOKENIZER_FILES = (
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
    "vocab.json",
    "merges.txt",
)


def compute_fingerprint(folder: Path) -> str:
    """Return a hash of the contents of a model's files: weights, config and tokenizer.

    Raises:
        MtlError: If the model has no weights.
    """
    files = [
        *find_weight_files(folder),
        *(folder / name for name in _CONFIG_AND_TOKENIZER_FILES if (folder / name).is_file()),
    ]
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        stat = path.stat()
        digest.update(f"{path.name}\n".encode() + _hash_file(path, stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()


@lru_cache(maxsize=64)
def _hash_file(path: Path, size: int, modified_ns: int) -> bytes:
    """Hash the contents of a file; size and modification time are part of the cache key."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
