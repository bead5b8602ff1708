"""Helpers of the benchmarks: commands of `mtl` in subprocesses, their memory, and durations."""

import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TypeVar

Name = TypeVar("Name")


def find_mtl() -> str:
    """Return the path of the command `mtl` in this environment."""
    return str(Path(sys.executable).parent / "mtl")


def run_mtl(*arguments: str | Path) -> float:
    """Run a command of `mtl` without output, and return its duration in seconds."""
    start = perf_counter()
    subprocess.run([find_mtl(), *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return perf_counter() - start


def format_settings(*settings: str) -> list[str]:
    """Return the options `--set` of `mtl run` for these settings."""
    return [option for setting in settings for option in ("--set", setting)]


def get_peak_memory() -> float:
    """Return the peak resident memory of all subprocesses so far, in MB."""
    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * scale / 1e6


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
