"""Restore environment variables that trackers change."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


class KeptEnvironment:
    """Records environment variables that change while it is active, with their original values."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record changes inside the block. They remain: a tracker may read its variables until it finishes."""
        before = dict(os.environ)
        try:
            yield
        finally:
            for name in before.keys() | os.environ.keys():
                if os.environ.get(name) != before.get(name):
                    self._before.setdefault(name, before.get(name))

    def restore(self) -> None:
        """Restore the original value of every recorded variable."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before.clear()
