"""Ratings need no more memory for more reviews of the same products."""

import csv
import gc
import json
import tracemalloc
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pytest
from keyword_predictions import build_task_prediction, rate_reviews_by_keywords
from peak_memory import measure_peak_growth, run_command
from pyarrow import parquet

from mtl_core.runs.prediction import Prediction
from mtl_core.runs.prediction_inputs import PredictionInput
from mtl_core.runs.saved_run import SavedRun
from mtl_ratings.reviews import Review

FEW, MANY = 50, 600
"""Numbers of reviews; a chunk of 500,000 characters has 20."""
COMMENT = f"<!-- {'x' * 25_000} -->"
"""HTML that is removed, so that a review is long, and its sentences are few and short."""


def write_reviews(path: Path, count: int) -> Path:
    """Write reviews of 25,000 characters about five shops."""
    texts = (f"The soup was number {row}. {COMMENT} The waiter was number {row}." for row in range(count))
    rows = [{"shop": f"S{row % 5}", "when": "2025-01-01", "review": text} for row, text in enumerate(texts)]
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=20)
        pa.default_memory_pool().release_unused()  # the fork would inherit it
        return path
    with path.open("w", newline="", encoding="utf-8") as file:
        if path.suffix == ".jsonl":
            file.writelines(json.dumps(row) + "\n" for row in rows)
        else:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


def predict_constant(
    saved_run: SavedRun, inputs: Iterator[PredictionInput], data_set: str | None = None
) -> Iterator[Prediction]:
    """Predict the same for every sentence, in place of the network."""
    tasks = {
        "food": build_task_prediction(0.9, positive=0.8, negative=0.2),
        "price": build_task_prediction(0.1, neutral=1.0),
        "service": build_task_prediction(0.2, negative=1.0),
    }
    return (Prediction(item.id, item.text, tasks) for item in inputs)


def rate(run: Path, path: Path) -> None:
    outputs = [path.with_suffix(f".out{suffix}") for suffix in (".json", ".html")]
    columns = ["--text", "review", "--by", "shop", "--date", "when"]
    run_command("absa", "rate", path, "--run", run, *columns, "--out", outputs[0], "--out", outputs[1])
    assert json.loads(outputs[0].read_text(encoding="utf-8"))["reviews"] == (FEW if "few" in path.name else MANY)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_memory_of_the_command_does_not_grow_with_the_number_of_reviews(
    suffix: str, mentions_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtl_core.runs.iterate_predictions", predict_constant)
    monkeypatch.setattr("mtl_ratings.readers.parquet_file.BATCH_SIZE", 20)
    few, many = write_reviews(tmp_path / f"few{suffix}", FEW), write_reviews(tmp_path / f"many{suffix}", MANY)
    growth = measure_peak_growth(partial(rate, mentions_run), few, many)
    assert growth < 5  # the reviews that differ in number are 14 MB


def generate_reviews(count: int) -> Iterator[Review]:
    for row in range(count):
        text = f"Good food, visit {row:06}. Bad service, visit {row:06}."
        yield Review(text, f"shop {row % 5}", "2025-01", f"r.csv:{row:06}", f"line {row:06}")


def test_sums_and_quotes_do_not_grow_with_the_number_of_reviews() -> None:
    peaks = []
    for count in (256, 512, 2048):  # the first call fills caches
        gc.collect()
        tracemalloc.start()
        try:
            assert rate_reviews_by_keywords(generate_reviews(count)).reviews == count
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
    growth = (peaks[2] - peaks[1]) / (2048 - 512)
    assert growth < 12  # bytes per review; a number and its place in a list need 32
