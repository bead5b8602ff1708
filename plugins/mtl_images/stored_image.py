"""Images that stay in their files, and the decoding of the next batch in the background."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_WORKERS = 4
"""Largest number of threads that decode images."""


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image in a file, decoded on each use.

    Attributes:
        path: The path of the file.
    """

    path: str


class BackgroundDecoder:
    """Decodes stored images in threads, so that a step does not wait for them.

    Args:
        decode: Function from the path of a file to the image, `(channels, height, width)`, uint8.
    """

    def __init__(self, decode: Callable[[str], NDArray[np.uint8]]) -> None:
        self._decode = decode
        self._executor: ThreadPoolExecutor | None = None
        self._pending: dict[str, Future[NDArray[np.uint8]]] = {}

    def start(self, paths: Iterable[str]) -> None:
        """Start to decode files; drop those of earlier calls that were not fetched."""
        wanted = dict.fromkeys(paths)
        for path in self._pending.keys() - wanted.keys():
            self._pending.pop(path).cancel()
        for path in wanted:
            self._submit(path)

    def fetch(self, paths: Sequence[str]) -> dict[str, NDArray[np.uint8]]:
        """Return the decoded images of files, by path; files that are not decoded yet are waited for.

        Raises:
            MtlError: If a file cannot be decoded.
        """
        for path in paths:
            self._submit(path)
        futures = {path: self._pending.pop(path) for path in dict.fromkeys(paths)}
        return {path: future.result() for path, future in futures.items()}

    def map(self, paths: Sequence[str]) -> list[NDArray[np.uint8]]:
        """Decode files in several threads, and return their images in order."""
        return list(self._get_executor().map(self._decode, paths))

    def close(self) -> None:
        """End the threads; they are started again when they are needed."""
        if self._executor is not None:
            self._executor.shutdown(cancel_futures=True)
        self._executor, self._pending = None, {}

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for copies and other processes: without threads."""
        return {"_decode": self._decode, "_executor": None, "_pending": {}}

    def _submit(self, path: str) -> None:
        if path not in self._pending:
            self._pending[path] = self._get_executor().submit(self._decode, path)

    def _get_executor(self) -> ThreadPoolExecutor:
        if self._executor is None:
            n_workers = min(MAX_WORKERS, os.cpu_count() or 1)
            self._executor = ThreadPoolExecutor(n_workers, thread_name_prefix="decode-images")
        return self._executor
