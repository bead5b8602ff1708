"""Memory and speed of `mtl absa rate` for few and many reviews.

    python -m benchmarks rating [REVIEWS...]

The network is the small one of `absa-mentions`, trained briefly; the time includes everything around the network.
"""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from random import Random
from time import perf_counter

from absa_plugin.semeval import SemEval2014
from benchmarks.local_data import find_mtl

SIZES = (20_000, 200_000)
PRODUCTS = 200
SAMPLE = Path(__file__).parents[1] / "absa_plugin" / "sample"


def main() -> None:
    """Train briefly, then rate files of increasing size."""
    sizes = [int(word) for word in sys.argv[2:]] if sys.argv[1:2] == ["rating"] else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = ["--set", "training.epochs=3", "--set", "training.refit=false"]
        _run("run", "absa-mentions", "--out", str(folder / "run"), *settings)
        for reviews in sizes or SIZES:
            file = folder / f"{reviews}.csv"
            _write(file, reviews)
            start, cpu_before = perf_counter(), _get_child_usage().ru_utime
            options = ["--text", "review", "--by", "restaurant", "--date", "date", "--run", str(folder / "run")]
            _run(
                "absa",
                "rate",
                str(file),
                *options,
                "--out",
                str(folder / "r.json"),
                "--out",
                str(folder / "r.html"),
            )
            seconds, cpu = perf_counter() - start, _get_child_usage().ru_utime - cpu_before
            memory = _get_child_usage().ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
            size, speed = f"{file.stat().st_size / 1e6:.0f} MB", f"{reviews / seconds:.0f} per second with start-up"
            cpu_text = f"{1e6 * cpu / reviews:.0f} µs of CPU time per review"
            peak_text = f"peak memory so far {memory:.0f} MB"
            print(f"{reviews:,} reviews, {size}: {seconds:.0f} s ({speed}; {cpu_text}); {peak_text}", flush=True)


def _write(path: Path, reviews: int) -> None:
    """Write distinct reviews of one to five sentences of the sample, over two years."""
    texts = [str(text) for text in SemEval2014(train=SAMPLE / "train.xml").load().inputs]
    rng = Random(0)
    with path.open("w", encoding="utf-8") as file:
        file.write("restaurant\tdate\treview\n")
        for number in range(reviews):
            review = " ".join(rng.choices(texts, k=rng.randint(1, 5)))
            day = f"{rng.choice((2024, 2025))}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
            file.write(f"Restaurant {rng.randrange(PRODUCTS)}\t{day}\t{review} Visit {number}.\n".replace('"', "'"))


def _get_child_usage() -> resource.struct_rusage:
    return resource.getrusage(resource.RUSAGE_CHILDREN)


def _run(*arguments: str) -> None:
    subprocess.run([find_mtl(), *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
