"""The folder of disk caches."""

from __future__ import annotations

import os
from pathlib import Path

MAX_CACHE_BYTES = 2 * 2**30
"""Maximum size of a cache in bytes; beyond that, the least recently used entries are deleted."""


def get_default_cache_dir() -> Path:
    """Return the default cache folder: `MTL_CACHE`, or `mtl` in the user's cache folder."""
    if cache_dir := os.environ.get("MTL_CACHE"):
        return Path(cache_dir).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "mtl"


def resolve_cache_dir(cache: Path | bool) -> Path | None:
    """Return the folder that the value of a `cache:` key selects; None disables the cache."""
    return cache if isinstance(cache, Path) else get_default_cache_dir() if cache else None
