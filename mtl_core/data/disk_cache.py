"""A disk cache of computed values."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl_core.errors import MtlError

MAX_CACHE_BYTES = 2 * 2**30
"""Maximum size of a cache in bytes; beyond that, the oldest entries are deleted."""
LOOKUP_BATCH_SIZE = 500
"""Number of keys per query."""
LOCK_TIMEOUT_S = 30.0
"""Timeout in seconds for the lock of another process that writes."""

Key = str | tuple[str, ...]


def get_default_cache_dir() -> Path:
    """Return the default cache folder: `MTL_CACHE`, or `mtl` in the user's cache folder."""
    if cache_dir := os.environ.get("MTL_CACHE"):
        return Path(cache_dir).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "mtl"


def resolve_cache_dir(cache: Path | bool) -> Path | None:
    """Return the folder that the value of a `cache:` key selects; None disables the cache."""
    return cache if isinstance(cache, Path) else get_default_cache_dir() if cache else None


class DiskCache:
    """A cache of bytes by key, in one SQLite file per name and identity.

    A file that is damaged or cannot be read counts as empty: its values are computed again. Keys are stored as digests.

    Args:
        cache_dir: The folder of the cache; None disables the cache.
        name: What is cached, a Python identifier: the name of the subfolder, and of the table in the file.
        identity: The values on which cached values depend, besides the key.
        config_key: The key that set the folder, for the error if it is not writable; None if that is no error.

    Example:
        >>> import tempfile
        >>> cache = DiskCache(Path(tempfile.mkdtemp()), "lengths", {"version": 1})
        >>> cache.store({"soup": b"4"})
        >>> cache.load(["stew", "soup"])
        {1: b'4'}
    """

    def __init__(
        self, cache_dir: Path | None, name: str, identity: Mapping[str, Any], config_key: str | None = None
    ) -> None:
        if not name.isidentifier():
            raise MtlError(f"the name of a cache must be an identifier, found '{name}'")
        self._name = name
        self._config_key = config_key
        self._path: Path | None = None
        if cache_dir is not None:
            digest = hashlib.blake2b(json.dumps(identity, sort_keys=True).encode(), digest_size=16).hexdigest()
            self._path = cache_dir / name / f"{digest}.sqlite"

    def load(self, keys: Sequence[Key]) -> dict[int, bytes]:
        """Look up values: return a mapping of index in `keys` to value, for keys that are cached."""
        if self._path is None or not self._path.is_file():
            return {}
        index_by_digest = {_compute_digest(key): index for index, key in enumerate(keys)}
        digests, results = list(index_by_digest), {}
        try:
            with self._open(self._path) as database:
                for start in range(0, len(digests), LOOKUP_BATCH_SIZE):
                    batch = digests[start : start + LOOKUP_BATCH_SIZE]
                    query = f"SELECT key, data FROM {self._name} WHERE key IN ({', '.join('?' * len(batch))})"  # noqa: S608
                    for digest, data in database.execute(query, batch):
                        results[index_by_digest[digest]] = data
        except sqlite3.DatabaseError:
            return {}
        return results

    def store(self, values: Mapping[Key, bytes]) -> None:
        """Store values; delete the oldest if the file is too large.

        Raises:
            MtlError: If the user has set the folder, and it is not writable.
        """
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._write(self._path, values)
        except (OSError, sqlite3.OperationalError) as error:
            if self._config_key is not None:
                raise MtlError(f"{self._config_key}: {self._path.parent} cannot be written: {error}") from error
        except sqlite3.DatabaseError:  # recreate a damaged file; processes that have it open keep the old one
            self._path.unlink(missing_ok=True)
            self._write(self._path, values)

    def _write(self, path: Path, values: Mapping[Key, bytes]) -> None:
        rows = [(_compute_digest(key), value) for key, value in values.items()]
        table = self._name
        with self._open(path) as database, database:
            database.execute(f"CREATE TABLE IF NOT EXISTS {table} (key BLOB PRIMARY KEY, data BLOB NOT NULL)")
            database.executemany(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", rows)  # noqa: S608
            [(size,)] = database.execute(f"SELECT sum(length(data)) FROM {table}").fetchall()  # noqa: S608
            if size > MAX_CACHE_BYTES:
                oldest = f"SELECT rowid FROM {table} ORDER BY rowid LIMIT (SELECT count(*) / 4 + 1 FROM {table})"  # noqa: S608
                database.execute(f"DELETE FROM {table} WHERE rowid IN ({oldest})")  # noqa: S608

    @staticmethod
    @contextlib.contextmanager
    def _open(path: Path) -> Iterator[sqlite3.Connection]:
        database = sqlite3.connect(path, timeout=LOCK_TIMEOUT_S)
        try:
            yield database
        finally:
            database.close()


def _compute_digest(key: Key) -> bytes:
    return hashlib.blake2b(json.dumps(key).encode(), digest_size=20).digest()
