"""Helpers of the benchmarks: commands of `mtl` in subprocesses, their memory, and durations."""

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TypeVar

Name = TypeVar("Name")
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes per unit of `ru_maxrss`."""


def find_mtl() -> str:
    """Return the path of the command `mtl` in this environment."""
    return str(Path(sys.executable).parent / "mtl")


def run_mtl(*arguments: str | Path) -> float:
    """Run a command of `mtl` without output, and return its duration in seconds."""
    start = perf_counter()
    subprocess.run([find_mtl(), *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return perf_counter() - start


@dataclass(frozen=True)
class CommandCost:
    """The cost of a command.

    Attributes:
        seconds: Its duration.
        cpu_seconds: Its processor time, which other processes hardly change.
        megabytes: Its peak resident memory.
        lines: Number of lines on standard output and standard error.
    """

    seconds: float
    cpu_seconds: float
    megabytes: float
    lines: int


def measure_mtl(*arguments: str | Path) -> CommandCost:
    """Run a command of `mtl`, and return its cost.

    Raises:
        RuntimeError: If it fails.
    """
    with tempfile.TemporaryFile() as output:
        start = perf_counter()
        process = subprocess.Popen([find_mtl(), *arguments], stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = perf_counter() - start
        output.seek(0)
        text = output.read().decode()
    if status:
        raise RuntimeError(text)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return CommandCost(seconds, cpu_seconds, usage.ru_maxrss * _RSS_UNIT / 1e6, text.count("\n"))


def format_settings(*settings: str) -> list[str]:
    """Return the options `--set` of `mtl run` for these settings."""
    return [option for setting in settings for option in ("--set", setting)]


def get_peak_memory() -> float:
    """Return the peak resident memory of all subprocesses so far, in MB."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _RSS_UNIT / 1e6


def time_alternately(
    functions: Mapping[Name, Callable[[], object]], rounds: int, random: Random | None = None
) -> dict[Name, list[float]]:
    """Call all functions once per round, and return their durations in seconds.

    Args:
        functions: The functions by name.
        rounds: Number of rounds.
        random: Shuffles the order of each round; None keeps the order.
    """
    durations: dict[Name, list[float]] = {name: [] for name in functions}
    order = list(functions)
    for _ in range(rounds):
        if random is not None:
            random.shuffle(order)
        for name in order:
            start = perf_counter()
            functions[name]()
            durations[name].append(perf_counter() - start)
    return durations


def format_seconds(seconds: float, reference: float) -> str:
    """Format a duration, also as a multiple of the reference time R: `9.20 s (2.31 R)`."""
    duration = f"{seconds:.2f} s" if seconds >= 0.1 else f"{1000 * seconds:.2f} ms"
    return f"{duration} ({seconds / reference:.3g} R)"
