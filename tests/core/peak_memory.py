"""Peak memory of a function or command, measured in a fork of this process."""

import contextlib
import ctypes
import gc
import os
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TypeVar

from mtl_core.cli.app import main
from mtl_core.runs.measurements import measure_peak_memory_mb

Input = TypeVar("Input")

M_MMAP_THRESHOLD = -3
"""The parameter of `mallopt` for the size from which a block is mapped, and unmapped when it is freed."""


def measure_peak_growth(function: Callable[[Input], object], small: Input, large: Input) -> float:
    """Return by how much the peak memory of a function is larger for a large input than for a small one.

    The fork calls the function with the small input twice and measures the second call: the first imports modules,
    fills caches and releases what earlier tests left. Results are discarded after each call.

    Args:
        function: The function.
        small: An input that is large enough to reach every limit, such as the size of a chunk.
        large: An input several times as large.

    Returns:
        The growth of the peak resident memory, in megabytes of 1,000,000 bytes.

    Raises:
        RuntimeError: If the function raises.
    """
    context = get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(sender, function, small, large))
    process.start()
    sender.close()
    try:
        growth: float | str = receiver.recv()
    except EOFError:
        growth = "the process was killed"
    process.join()
    if isinstance(growth, str):
        raise RuntimeError(growth)
    return growth


def run_command(*arguments: object) -> None:
    """Run the command line in this process.

    Raises:
        RuntimeError: If the command fails.
    """
    try:
        main([str(argument) for argument in arguments])
    except SystemExit as stop:
        if stop.code:
            raise RuntimeError(f"exit code {stop.code}") from stop


def _measure(sender: Connection, function: Callable[[Input], object], small: Input, large: Input) -> None:
    try:
        function(small)
        peaks = []
        for value in (small, large):
            _reset_peak()
            function(value)
            peaks.append(measure_peak_memory_mb() or 0.0)
        sender.send(peaks[1] - peaks[0])
    except BaseException as error:  # noqa: BLE001  the parent raises it
        sender.send(f"{type(error).__name__}: {error}")
    finally:
        sender.close()
        os._exit(0)


def _reset_peak() -> None:
    """Return free memory of earlier tests to the system, in which the function would otherwise hide its memory.

    Large blocks then return to the system as soon as they are freed, so that the peak does not depend on fragments.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # not on Linux, or not with glibc
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_THRESHOLD, 2**17)
        libc.malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
