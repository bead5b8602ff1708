"""Memory and time of CSV files of 50,000 and 5 million rows: loaded, then read in random batches."""

import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Event, Thread
from time import perf_counter

import numpy as np

from benchmarks.measurement import format_seconds
from mtl_core.builtins.loaders.table import Table

SIZES = (50_000, 5_000_000)
BATCHES, BATCH = 20_000, 32
WORDS = ["soup", "stew", "bread", "waiter", "bill", "menu", "lovely", "splendid", "dreadful", "grim"]


def main() -> None:
    """Write each file, and measure it in a separate process, which does not import torch."""
    from benchmarks.reference import measure_reference

    reference = str(measure_reference())
    for rows in SIZES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "reviews.csv"
            _write(path, rows)
            print(f"{rows:,} rows, {path.stat().st_size / 1e6:.0f} MB:", flush=True)
            subprocess.run([sys.executable, "-m", "benchmarks.table_memory", path, reference], check=True)


def _write(path: Path, rows: int) -> None:
    """Write texts of 4 to 20 words, a label of 3 classes, one of 500, and a number with two decimals."""
    random = np.random.default_rng(0)
    with path.open("w", encoding="utf-8") as file:
        file.write("review,sentiment,product,stars,trust\n")
        for start in range(0, rows, 50_000):
            lengths = random.integers(4, 21, 50_000).tolist()
            words = random.integers(0, len(WORDS), (50_000, 20)).tolist()
            labels = random.integers(0, (3, 500, 500, 100), (50_000, 4)).tolist()
            for row, (length, word_indices, (sentiment, product, stars, trust)) in enumerate(
                zip(lengths, words, labels, strict=True), start=start
            ):
                text = " ".join(WORDS[word] for word in word_indices[:length])
                sentiment = ("positive", "negative", "")[sentiment]
                file.write(f"{text} {row},{sentiment},p{product},{stars / 100},{trust / 100}\n")


def _measure(path: Path, reference: float) -> None:
    """Load a file and read random batches of its inputs, once."""
    before = _read_anonymous_memory()
    with _PeakMemory() as peak:
        start = perf_counter()
        corpus = Table(train=path, text="review", weights={"sentiment": "trust"}).load()
        seconds = perf_counter() - start
    duration = format_seconds(seconds, reference)
    print(f"  load: {duration}, peak {peak.megabytes:.0f} MB of anonymous memory ({before:.0f} MB before)")
    random = np.random.default_rng(0)
    with _PeakMemory() as peak:
        start = perf_counter()
        characters = 0
        for _ in range(BATCHES):
            rows = random.integers(0, len(corpus), BATCH).tolist()
            characters += sum(len(str(corpus.inputs[row])) for row in rows)
        seconds = perf_counter() - start
    duration = format_seconds(seconds, reference)
    print(f"  {BATCHES:,} batches of {BATCH}: {duration}, peak {peak.megabytes:.0f} MB", flush=True)


class _PeakMemory:
    """Samples this process's anonymous memory, which excludes cached pages of files."""

    def __enter__(self) -> "_PeakMemory":
        self.megabytes = _read_anonymous_memory()
        self._stop = Event()
        self._thread = Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._record()

    def _sample(self) -> None:
        while not self._stop.wait(0.01):
            self._record()

    def _record(self) -> None:
        self.megabytes = max(self.megabytes, _read_anonymous_memory())


def _read_anonymous_memory() -> float:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("RssAnon:")[1].split()[0]) * 1024 / 1e6


if __name__ == "__main__":
    _measure(Path(sys.argv[1]), float(sys.argv[2]))
