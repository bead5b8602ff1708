"""Disk cache of the states of texts."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core import MtlError
from mtl_transformers.cache_dir import MAX_CACHE_BYTES

States = NDArray[np.float16]
LOOKUP_BATCH_SIZE = 500
"""Number of texts per query."""
LOCK_TIMEOUT_S = 30.0
"""Timeout in seconds for the lock of another process that writes."""


class StateCache:
    """A cache of states by text, in one SQLite file per model and settings.

    A file that is damaged or cannot be read counts as empty: its states are computed again.

    Args:
        cache_dir: The folder of the cache; None disables the cache.
        identity: The values on which states depend, besides the text.
        strict: Whether it is an error if the folder is not writable, because the user has set it.
    """

    def __init__(self, cache_dir: Path | None, identity: Mapping[str, Any], strict: bool) -> None:
        self._strict = strict
        self._path: Path | None = None
        if cache_dir is not None:
            name = hashlib.blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=16).hexdigest()
            self._path = cache_dir / "states" / f"{name}.sqlite"

    def load(self, texts: Sequence[str | tuple[str, ...]], width: int) -> dict[int, States]:
        """Look up states: return a mapping of index in `texts` to states, `(words, width)`, for cached texts."""
        if self._path is None or not self._path.is_file():
            return {}
        index_by_key = {_compute_key(text): index for index, text in enumerate(texts)}
        keys, results = list(index_by_key), {}
        try:
            with self._open(self._path) as database:
                for start in range(0, len(keys), LOOKUP_BATCH_SIZE):
                    key_batch = keys[start : start + LOOKUP_BATCH_SIZE]
                    query = f"SELECT key, data FROM states WHERE key IN ({', '.join('?' * len(key_batch))})"  # noqa: S608
                    for key, data in database.execute(query, key_batch):
                        if len(data) and len(data) % (2 * width) == 0:
                            results[index_by_key[key]] = np.frombuffer(data, dtype=np.float16).reshape(-1, width)
        except sqlite3.DatabaseError:
            return {}
        return results

    def store(self, states: Mapping[str | tuple[str, ...], States]) -> None:
        """Store states; delete the oldest if the file is too large.

        Raises:
            MtlError: If `strict` is set and the folder is not writable.
        """
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._write(self._path, states)
        except (OSError, sqlite3.OperationalError) as error:
            if self._strict:
                raise MtlError(f"encoder.cache: {self._path.parent} cannot be written: {error}") from error
        except sqlite3.DatabaseError:  # recreate a damaged file; processes that have it open keep the old one
            self._path.unlink(missing_ok=True)
            self._write(self._path, states)

    def _write(self, path: Path, states: Mapping[str | tuple[str, ...], States]) -> None:
        rows = [(_compute_key(text), value.tobytes()) for text, value in states.items()]
        with self._open(path) as database, database:
            database.execute("CREATE TABLE IF NOT EXISTS states (key BLOB PRIMARY KEY, data BLOB NOT NULL)")
            database.executemany("INSERT OR REPLACE INTO states VALUES (?, ?)", rows)
            [(size,)] = database.execute("SELECT sum(length(data)) FROM states").fetchall()
            if size > MAX_CACHE_BYTES:
                database.execute(
                    "DELETE FROM states WHERE rowid IN "
                    "(SELECT rowid FROM states ORDER BY rowid LIMIT (SELECT count(*) / 4 + 1 FROM states))"
                )

    @staticmethod
    @contextlib.contextmanager
    def _open(path: Path) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S)
        try:
            yield database
        finally:
            database.close()


def _compute_key(text: str | tuple[str, ...]) -> bytes:
    return hashlib.blake2b(json.dumps(text).encode(), digest_size=20).digest()
