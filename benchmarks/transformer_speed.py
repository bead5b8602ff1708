"""`absa-minilm` and `absa-distilled`: training with `mtl run`, prediction compared with a plain PyTorch loop."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args

import torch

from benchmarks.local_data import TRAIN, load_sentences, require_shared
from benchmarks.measurement import format_seconds, format_settings, run_mtl, time_alternately
from benchmarks.reference import measure_reference
from mtl_core.runs.precision import Precision, convert_precision
from mtl_core.runs.predict_inputs import iterate_predictions
from mtl_core.runs.prediction_inputs import parse_texts
from mtl_core.runs.saved_run import SavedRun, load_run

THREADS = 2
BATCH = 128


def main() -> None:
    """Train both, then predict for the training sentences in alternating rounds."""
    require_shared()
    reference = measure_reference()
    torch.set_num_threads(THREADS)
    texts = load_sentences(TRAIN)
    with tempfile.TemporaryDirectory() as name:
        for experiment in ("absa-distilled", "absa-minilm"):
            run = Path(name) / experiment
            seconds = run_mtl("run", experiment, *format_settings(f"data.train={TRAIN}"), "--out", run)
            metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
            validation = metrics["splits"]["validation"]
            print(
                f"{experiment}: {format_seconds(seconds, reference)}, "
                f"{format_seconds(metrics['timing']['train_s'], reference)} for training"
            )
            print(
                f"  validation: {validation['overall']['accuracy']:.4f}, "
                f"detection {validation['detection']['micro_f1']:.4f}"
            )
            for question, error in metrics["calibration"]["errors"].items():
                print(f"  calibration error of {question}: {error['before']:.3f} to {error['after']:.3f}")
            saved = load_run(run)
            variants: dict[str, Callable[[], None]] = {
                precision: _build_predict(convert_precision(saved, precision), texts)
                for precision in get_args(Precision)
            }
            if experiment == "absa-minilm":
                variants["plain loop, fp32"] = _build_plain_predict(texts, torch.float32)
                variants["plain loop, bf16"] = _build_plain_predict(texts, torch.bfloat16)
            for variant, durations in time_alternately(variants, 3).items():
                best = min(durations)
                print(f"  {variant}: {format_seconds(best, reference)}, {len(texts) / best:.0f} sentences per second")


def _build_predict(saved: SavedRun, texts: list[str]) -> Callable[[], None]:
    def predict() -> None:
        for _ in iterate_predictions(saved, parse_texts(texts)):
            pass

    return predict


def _build_plain_predict(texts: list[str], precision: torch.dtype) -> Callable[[], None]:
    """Run only MiniLM over the same sentences, sorted by length, without heads or decoding."""
    from transformers import AutoModel, AutoTokenizer

    from mtl_transformers.find_model import find_model

    folder = find_model("all-minilm-l6-v2")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()

    def batches() -> Iterator[dict[str, torch.Tensor]]:
        order = sorted(tokenizer(texts)["input_ids"], key=len)
        for start in range(0, len(order), BATCH):
            yield tokenizer.pad({"input_ids": order[start : start + BATCH]}, return_tensors="pt")

    def predict() -> None:
        use_autocast = precision == torch.bfloat16
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=use_autocast):
            for batch in batches():
                model(**batch)

    return predict
