"""Restore environment variables that trackers change."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


class EnvironmentSnapshot:
    """Records environment variables that change while it is active, with their original values."""

    def __init__(self) -> None:
        self._original_values: dict[str, str | None] = {}

    @contextmanager
    def record_changes(self) -> Iterator[None]:
        """Record changes inside the block. They remain: a tracker may read its variables until it finishes."""
        initial = dict(os.environ)
        try:
            yield
        finally:
            for name in initial.keys() | os.environ.keys():
                if os.environ.get(name) != initial.get(name):
                    self._original_values.setdefault(name, initial.get(name))

    def restore(self) -> None:
        """Restore the original value of every recorded variable."""
        for name, value in self._original_values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._original_values.clear()
