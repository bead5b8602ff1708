"""Speed and memory of `mtl predict --input` for 100,000 sentences from a file."""

import tempfile
from pathlib import Path

from benchmarks.local_data import PIPELINE, TRAIN, load_sentences, require_shared
from benchmarks.measurement import format_seconds, format_settings, get_peak_memory, run_mtl
from benchmarks.reference import measure_reference

SENTENCES = 100_000


def main() -> None:
    """Train briefly, then predict for files of increasing size."""
    require_shared()
    reference = measure_reference()
    texts = load_sentences(TRAIN)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = format_settings(
            f"data.train={TRAIN}", f"encoder.pipeline={PIPELINE}", "training.epochs=1", "training.refit=false"
        )
        run_mtl("run", "absa-restaurants", "--out", folder / "run", *settings)
        start_up = None
        for sentences in (1, SENTENCES // 10, SENTENCES):
            source = folder / f"{sentences}.txt"
            # All sentences are distinct, as in practice, so that caches have no effect.
            with source.open("w", encoding="utf-8") as lines:
                for i in range(sentences):
                    lines.write(
                        f"{texts[i % len(texts)]} {texts[(i * 7 + i // len(texts)) % len(texts)].split()[0]} {i}\n"
                    )
            seconds = run_mtl("predict", folder / "run", "--input", source, "--output", folder / "out.jsonl")
            start_up = seconds if start_up is None else start_up
            speed = f"{sentences / seconds:.0f} sentences per second with start-up"
            if sentences > 1:
                speed += f", {sentences / (seconds - start_up):.0f} without"
            duration = format_seconds(seconds, reference)
            print(f"{sentences} sentences: {duration}, {speed}; peak memory so far {get_peak_memory():.0f} MB")
