"""Disk cache of word vectors."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from mtl_core import MtlError, write_atomically
from mtl_core.data import MAX_CACHE_BYTES, resolve_cache_dir


class VectorCache:
    """A cache of arrays in files, which are written atomically; a damaged file counts as missing.

    Args:
        cache_dir: The folder of the cache; None disables the cache.
        strict: Whether it is an error if the folder is not writable, because the user has set it.
    """

    def __init__(self, cache_dir: Path | None, strict: bool = False) -> None:
        self._cache_dir = cache_dir
        self._strict = strict

    @classmethod
    def from_config(cls, cache: Path | bool) -> VectorCache:
        """Build the cache that the value of a `cache:` key selects."""
        return cls(resolve_cache_dir(cache), strict=isinstance(cache, Path))

    def load(self, identity: dict[str, Any], words: Sequence[str]) -> NDArray[np.float32] | None:
        """Look up vectors, `(words, width)`, float32; return None if they are not cached.

        Args:
            identity: The values on which the vectors depend, besides the words.
            words: The words, in the order of the vectors.
        """
        path = self._get_path(identity, words)
        if path is None or not path.is_file():
            return None
        try:
            vectors: NDArray[np.float32] = load_file(path)["vectors"]
        except (SafetensorError, OSError, KeyError):
            return None
        if vectors.ndim != 2 or len(vectors) != len(words) or vectors.dtype != np.float32:
            return None
        with contextlib.suppress(OSError):
            os.utime(path)
        return vectors

    def store(self, identity: dict[str, Any], words: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Store vectors.

        Raises:
            MtlError: If `strict` is set and the folder is not writable.
        """
        path = self._get_path(identity, words)
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, lambda temporary: save_file({"vectors": vectors}, temporary))
            self._prune(path.parent)
        except (OSError, MtlError) as error:
            if self._strict:
                raise MtlError(f"encoder.cache: {path.parent} cannot be written: {error}") from error

    def _get_path(self, identity: dict[str, Any], words: Sequence[str]) -> Path | None:
        if self._cache_dir is None:
            return None
        text = json.dumps([identity, list(words)], sort_keys=True)
        return (
            self._cache_dir
            / "word-vectors"
            / f"{hashlib.blake2b(text.encode(), digest_size=20).hexdigest()}.safetensors"
        )

    @staticmethod
    def _prune(cache_dir: Path) -> None:
        """Delete the least recently used files until the total size is below `MAX_CACHE_BYTES`."""
        files = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in cache_dir.glob("*.safetensors"))
        total = sum(size for _, size, _ in files)
        for _, size, path in files[:-1]:
            if total <= MAX_CACHE_BYTES:
                return
            path.unlink(missing_ok=True)
            total -= size
