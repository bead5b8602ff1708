"""`mtl predict` needs no more memory for a larger file."""

import json
from functools import partial
from pathlib import Path

import pytest
from peak_memory import measure_peak_growth, run_command

from mtl_core.runs import predict_inputs

CHARACTERS = 20_000
"""Characters per text, almost all of which are spaces, so that the network reads three tokens."""


def write_texts(path: Path, count: int) -> Path:
    with path.open("w", encoding="utf-8") as lines:
        for number in range(count):
            text = f"Great{' ' * CHARACTERS}soup {number % 100}."
            lines.write(f"{json.dumps({'text': text}) if path.suffix == '.jsonl' else text}\n")
    return path


def predict_file(run: Path, path: Path) -> None:
    output = path.with_name("predictions.jsonl")
    run_command("predict", run, "--input", path, "--output", output)
    with output.open(encoding="utf-8") as predictions, path.open(encoding="utf-8") as texts:
        assert sum(1 for _ in predictions) == sum(1 for _ in texts)


@pytest.mark.parametrize("suffix", [".txt", ".jsonl"])
def test_memory_does_not_grow_with_the_number_of_texts(
    suffix: str, trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert predict_inputs.CHUNK_SIZE == 4096  # as in the documentation
    monkeypatch.setattr(predict_inputs, "CHUNK_SIZE", 50)
    small, large = write_texts(tmp_path / f"small{suffix}", 100), write_texts(tmp_path / f"large{suffix}", 600)
    growth = measure_peak_growth(partial(predict_file, trained_run), small, large)
    assert growth < 4  # the texts that differ in number are 10 MB, a chunk is 1 MB
