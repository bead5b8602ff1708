"""Servers that a page starts with `mtl serve … &`, sends requests to, and stops with `kill %1`."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DOCS_ADDRESS = "127.0.0.1:8000"
"""The address of the server in the pages; in tests, the server has a free port."""


@dataclass
class Servers:
    """The server that runs in the background, if there is one."""

    _process: subprocess.Popen[str] | None = None
    _address: str = field(default=DOCS_ADDRESS)

    def start(self, words: list[str], folder: Path, environment: Mapping[str, str]) -> str:
        """Start a server, and return the line that it prints when it is ready."""
        self._process = subprocess.Popen(
            [*words, "--port", "0"], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        ready_line = self._process.stdout.readline()
        self._address = ready_line.partition("http://")[2].split()[0]
        return ready_line

    def substitute_address(self, text: str) -> str:
        """Replace the address of the pages by the actual address of the server."""
        return text.replace(DOCS_ADDRESS, self._address)

    def stop(self) -> None:
        """Stop the server, if there is one."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=60)
            self._process = None
