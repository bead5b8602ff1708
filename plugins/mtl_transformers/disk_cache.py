"""What a transformer said, kept on disk so that it is not asked twice."""

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

from mtl_core import MtlError
from mtl_core.atomic import write_atomically

LARGEST = 2 * 2**30
"""Bytes that are kept; beyond that, what was not read for longest is deleted."""


def cache_folder() -> Path:
    """The place of what can be made again: `MTL_CACHE`, or `mtl` in the user's cache folder."""
    if own := os.environ.get("MTL_CACHE"):
        return Path(own).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "mtl"


def folder_of(key: Path | bool) -> Path | None:
    """Read a `cache:` key; None keeps nothing."""
    return key if isinstance(key, Path) else cache_folder() if key else None


class DiskCache:
    """Arrays by what they depend on. Each is a file, written whole or not at all; a damaged one is no entry.

    Args:
        folder: Where; None keeps nothing.
        strict: Whether a folder that cannot be written is an error, since it was asked for.
    """

    def __init__(self, folder: Path | None, strict: bool = False) -> None:
        self._folder = folder
        self._strict = strict

    @classmethod
    def of(cls, key: Path | bool) -> DiskCache:
        """Read a `cache:` key."""
        return cls(folder_of(key), strict=isinstance(key, Path))

    def find(self, identity: dict[str, Any], words: Sequence[str]) -> NDArray[np.float32] | None:
        """Look vectors up, `(words, width)`; None if they are not there.

        Args:
            identity: What the vectors depend on besides the words.
            words: The words, in their order.
        """
        path = self._path(identity, words)
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

    def keep(self, identity: dict[str, Any], words: Sequence[str], vectors: NDArray[np.float32]) -> None:
        """Keep vectors.

        Raises:
            MtlError: If a folder that was asked for cannot be written. The usual one may be read-only.
        """
        path = self._path(identity, words)
        if path is None:
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, lambda temporary: save_file({"vectors": vectors}, temporary))
            self._prune(path.parent)
        except (OSError, MtlError) as error:
            if self._strict:
                raise MtlError(f"encoder.cache: {path.parent} cannot be written: {error}") from error

    def _path(self, identity: dict[str, Any], words: Sequence[str]) -> Path | None:
        if self._folder is None:
            return None
        text = json.dumps([identity, list(words)], sort_keys=True)
        return (
            self._folder
            / "word-vectors"
            / f"{hashlib.blake2b(text.encode(), digest_size=20).hexdigest()}.safetensors"
        )

    @staticmethod
    def _prune(folder: Path) -> None:
        """Delete the oldest files where all together are too large."""
        files = sorted((path.stat().st_mtime, path.stat().st_size, path) for path in folder.glob("*.safetensors"))
        total = sum(size for _, size, _ in files)
        for _, size, path in files[:-1]:
            if total <= LARGEST:
                return
            path.unlink(missing_ok=True)
            total -= size
