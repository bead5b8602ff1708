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
from benchmarks.shared import mtl

SIZES = (20_000, 200_000)
PRODUCTS = 200
SAMPLE = Path(__file__).parents[1] / "absa_plugin" / "sample"


def main() -> None:
    """Train briefly, then rate files of increasing size."""
    sizes = [int(word) for word in sys.argv[2:]] if sys.argv[1:2] == ["rating"] else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        quick = ["--set", "training.epochs=3", "--set", "training.refit=false"]
        _run("run", "absa-mentions", "--out", str(folder / "run"), *quick)
        for reviews in sizes or SIZES:
            file = folder / f"{reviews}.csv"
            _write(file, reviews)
            start, used = perf_counter(), _children().ru_utime
            words = ["--text", "review", "--by", "restaurant", "--date", "date", "--run", str(folder / "run")]
            _run(
                "absa", "rate", str(file), *words, "--out", str(folder / "r.json"), "--out", str(folder / "r.html")
            )
            seconds, cpu = perf_counter() - start, _children().ru_utime - used
            memory = _children().ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
            size, speed = f"{file.stat().st_size / 1e6:.0f} MB", f"{reviews / seconds:.0f} per second with start-up"
            each = f"{1e6 * cpu / reviews:.0f} µs of CPU time per review"
            peak = f"peak memory so far {memory:.0f} MB"
            print(f"{reviews:,} reviews, {size}: {seconds:.0f} s ({speed}; {each}); {peak}", flush=True)


def _write(path: Path, reviews: int) -> None:
    """Write distinct reviews of one to five sentences of the sample, over two years."""
    texts = [str(text) for text in SemEval2014(train=SAMPLE / "train.xml").load().inputs]
    draw = Random(0)
    with path.open("w", encoding="utf-8") as file:
        file.write("restaurant\tdate\treview\n")
        for number in range(reviews):
            said = " ".join(draw.choices(texts, k=draw.randint(1, 5)))
            day = f"{draw.choice((2024, 2025))}-{draw.randint(1, 12):02}-{draw.randint(1, 28):02}"
            file.write(f"Restaurant {draw.randrange(PRODUCTS)}\t{day}\t{said} Visit {number}.\n".replace('"', "'"))


def _children() -> resource.struct_rusage:
    return resource.getrusage(resource.RUSAGE_CHILDREN)


def _run(*arguments: str) -> None:
    subprocess.run([mtl(), *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
