"""Memory and speed of `mtl absa rate` for few and many reviews.

    python -m benchmarks rating [REVIEWS...]

The network is the small one of `absa-mentions`, trained briefly; the time includes everything around the network.
"""

import resource
import sys
import tempfile
from pathlib import Path
from random import Random

from benchmarks.local_data import SAMPLE, load_sentences
from benchmarks.measurement import format_seconds, format_settings, get_peak_memory, run_mtl
from benchmarks.reference import measure_reference

SIZES = (20_000, 200_000)
PRODUCTS = 200


def main() -> None:
    """Train briefly, then rate files of increasing size."""
    reference = measure_reference()
    sizes = [int(word) for word in sys.argv[2:]] if sys.argv[1:2] == ["rating"] else []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = format_settings("training.epochs=3", "training.refit=false")
        run_mtl("run", "absa-mentions", "--out", folder / "run", *settings)
        for reviews in sizes or SIZES:
            file = folder / f"{reviews}.csv"
            _write(file, reviews)
            cpu_before = _get_cpu_time()
            options = ("--text", "review", "--by", "restaurant", "--date", "date", "--run", folder / "run")
            outputs = ("--out", folder / "r.json", "--out", folder / "r.html")
            seconds = run_mtl("absa", "rate", file, *options, *outputs)
            cpu = _get_cpu_time() - cpu_before
            size, speed = f"{file.stat().st_size / 1e6:.0f} MB", f"{reviews / seconds:.0f} per second with start-up"
            cpu_text = f"{format_seconds(cpu / reviews, reference)} of CPU time per review"
            peak_text = f"peak memory so far {get_peak_memory():.0f} MB"
            duration = format_seconds(seconds, reference)
            print(f"{reviews:,} reviews, {size}: {duration}, {speed}; {cpu_text}; {peak_text}", flush=True)


def _write(path: Path, reviews: int) -> None:
    """Write distinct reviews of one to five sentences of the sample, over two years."""
    texts = load_sentences(SAMPLE)
    rng = Random(0)
    with path.open("w", encoding="utf-8") as file:
        file.write("restaurant\tdate\treview\n")
        for number in range(reviews):
            review = " ".join(rng.choices(texts, k=rng.randint(1, 5)))
            day = f"{rng.choice((2024, 2025))}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
            file.write(f"Restaurant {rng.randrange(PRODUCTS)}\t{day}\t{review} Visit {number}.\n".replace('"', "'"))


def _get_cpu_time() -> float:
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime


if __name__ == "__main__":
    main()
