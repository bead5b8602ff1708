"""Environment variables that trackers set, and that are put back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


class KeptEnvironment:
    """Notes which variables were changed while it watched, and what they were before."""

    def __init__(self) -> None:
        self._before: dict[str, str | None] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Note what is changed inside. It stays changed: a tracker may read its variables until it has finished."""
        before = dict(os.environ)
        try:
            yield
        finally:
            for name in before.keys() | os.environ.keys():
                if os.environ.get(name) != before.get(name):
                    self._before.setdefault(name, before.get(name))

    def restore(self) -> None:
        """Put everything back that was noted."""
        for name, value in self._before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        self._before.clear()
