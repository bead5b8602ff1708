"""Speed and memory of `mtl predict --input` for 100,000 sentences from a file."""

import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

from absa_plugin.semeval import SemEval2014
from benchmarks.local_data import PIPELINE, TRAIN, find_mtl, require_shared

SENTENCES = 100_000


def main() -> None:
    """Train briefly, then predict for files of increasing size."""
    require_shared()
    texts = [str(text) for text in SemEval2014(train=TRAIN).load().inputs]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = [
            f"data.train={TRAIN}",
            f"encoder.pipeline={PIPELINE}",
            "training.epochs=1",
            "training.refit=false",
        ]
        options = [option for setting in settings for option in ("--set", setting)]
        _run("run", "absa-restaurants", "--out", str(folder / "run"), *options)
        start_up = None
        for sentences in (1, SENTENCES // 10, SENTENCES):
            source = folder / f"{sentences}.txt"
            # All sentences are distinct, as in practice, so that caches have no effect.
            with source.open("w", encoding="utf-8") as lines:
                for i in range(sentences):
                    lines.write(
                        f"{texts[i % len(texts)]} {texts[(i * 7 + i // len(texts)) % len(texts)].split()[0]} {i}\n"
                    )
            start = perf_counter()
            _run("predict", str(folder / "run"), "--input", str(source), "--output", str(folder / "out.jsonl"))
            seconds = perf_counter() - start
            start_up = seconds if start_up is None else start_up
            scale = 1 if sys.platform == "darwin" else 1024
            memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * scale / 1e6
            speed = f"{sentences / seconds:.0f} sentences per second with start-up"
            if sentences > 1:
                speed += f", {sentences / (seconds - start_up):.0f} without"
            print(f"{sentences} sentences: {seconds:.1f} s ({speed}); peak memory so far {memory:.0f} MB")


def _run(*arguments: str) -> None:
    subprocess.run([find_mtl(), *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
