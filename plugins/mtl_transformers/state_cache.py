"""Disk cache of the states of texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.data import DiskCache

States = NDArray[np.float16]


class StateCache:
    """A cache of states by text, in one file per model and settings.

    Args:
        cache_dir: The folder of the cache; None disables the cache.
        identity: The values on which states depend, besides the text.
        strict: Whether it is an error if the folder is not writable, because the user has set it.
    """

    def __init__(self, cache_dir: Path | None, identity: Mapping[str, Any], strict: bool) -> None:
        self._cache = DiskCache(cache_dir, "states", identity, "encoder.cache" if strict else None)

    def load(self, texts: Sequence[str | tuple[str, ...]], width: int) -> dict[int, States]:
        """Look up states: return a mapping of index in `texts` to states, `(words, width)`, for cached texts."""
        return {
            index: np.frombuffer(data, dtype=np.float16).reshape(-1, width)
            for index, data in self._cache.load(texts).items()
            if len(data) and len(data) % (2 * width) == 0
        }

    def store(self, states: Mapping[str | tuple[str, ...], States]) -> None:
        """Store states; delete the oldest if the file is too large.

        Raises:
            MtlError: If `strict` is set and the folder is not writable.
        """
        self._cache.store({text: value.tobytes() for text, value in states.items()})
