"""Servers that a page starts with `mtl serve … &`, asks, and ends with `kill %1`."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

WRITTEN = "127.0.0.1:8000"
"""Where pages say that a server is; in tests it is at a port that is free."""


@dataclass
class Servers:
    """The server that runs in the background, if there is one."""

    _process: subprocess.Popen[str] | None = None
    _place: str = field(default=WRITTEN)

    def start(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> str:
        """Start one, and give what it says when it can be asked."""
        self._process = subprocess.Popen(
            [*words, "--port", "0"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        said = self._process.stdout.readline()
        self._place = said.partition("http://")[2].split()[0]
        return said

    def there(self, text: str) -> str:
        """A command or a program that asks the server where it really is."""
        return text.replace(WRITTEN, self._place)

    def end(self) -> None:
        """End the server, if there is one."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=60)
            self._process = None
