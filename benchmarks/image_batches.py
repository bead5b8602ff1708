"""The time that training steps wait for batches of images: decoding, collation and augmentation."""

import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
import torch
from accelerate import Accelerator
from PIL import Image

from mtl_core.config.load import load_experiment
from mtl_core.data.batches import Batch, Examples
from mtl_core.data.prepare import prepare
from mtl_core.runs.build_network import build_network
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.callback import NullCallback
from mtl_core.training.loop import train
from mtl_core.training.objective import Objective

N_IMAGES = 320
FILE_SIZE = 256
EXPERIMENT = """\
data: {type: image-folder, train: images}
split: predefined
encoder:
  type: image
  size: 64
  augmentation: {horizontal_flip: true, shift: 4, brightness: 0.2}
backbone: {type: residual-cnn, channels: [16, 32, 64], stem_stride: 2}
tasks:
  - {name: label, kind: classification, head: linear}
training: {epochs: 1, batch_size: 32}
"""


def main() -> None:
    """Print the share of an epoch that steps wait for batches, of images in memory and in files."""
    with tempfile.TemporaryDirectory() as folder:
        _write_images(Path(folder))
        for name, memory_mb in (("in memory", 1024), ("in files", 1)):
            waiting, epoch = _time_epoch(Path(folder) / "experiment.yaml", memory_mb)
            print(f"images {name}: steps wait for batches in {waiting / epoch:.1%} of the epoch", flush=True)


def _write_images(folder: Path) -> None:
    """Write photos of noise as JPEG files, and an experiment."""
    random = np.random.default_rng(0)
    for number in range(N_IMAGES):
        path = folder / "images" / ("a" if number % 2 else "b") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = random.integers(0, 256, (16, 16, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((FILE_SIZE, FILE_SIZE), Image.Resampling.BICUBIC).save(path, quality=90)
    (folder / "experiment.yaml").write_text(EXPERIMENT, encoding="utf-8")


class _TimedExamples(Examples):
    """Examples that measure the time for which batches are waited for."""

    seconds = 0.0

    def build_batch(self, *arguments, **options) -> Batch:  # type: ignore[no-untyped-def]
        """Build a batch; arguments as in the base class."""
        start = perf_counter()
        batch = super().build_batch(*arguments, **options)
        self.seconds += perf_counter() - start
        return batch


def _time_epoch(path: Path, memory_mb: int) -> tuple[float, float]:
    """Return the seconds that steps wait for batches, and those of the epoch."""
    config = load_experiment(path, [f"encoder.memory_mb={memory_mb}"]).config
    data = prepare(config)
    timed = _TimedExamples(data.encoder, data.examples.items, data.examples.lengths, data.examples.targets)
    torch.manual_seed(0)
    network = build_network(config, data.encoder, data.groups)
    sampler = build_batch_sampler(config, data.corpus, data.split, data.examples.lengths)
    objective = Objective(data.groups, config.weighting)
    start = perf_counter()
    train(config, network, objective, timed, sampler, 1, Accelerator(), None, None, NullCallback())
    return timed.seconds, perf_counter() - start
