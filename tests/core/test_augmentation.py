"""Augmentation: training batches only, bit for bit after a resume, and labels per pixel follow their pixels."""

from pathlib import Path
from typing import Any

import jitter
import numpy as np
import pytest
import torch
import toy
from test_training import Interrupt, InterruptAfter, read_results

from mtl_core.builtins.encoders.modules.columns import ColumnsEncoder
from mtl_core.data.batches import Examples
from mtl_core.data.targets import TargetTable
from mtl_core.runs.run import resume_run, run_experiment

CPU = torch.device("cpu")
PLUGINS = [toy.__file__, jitter.__file__]


def run(folder: Path, name: str, scale: float, events: int | None = None) -> dict[str, Any]:
    training = {"epochs": 2, "batch_size": 16, "checkpoint_steps": 1}
    encoder = {"type": "jitter", "scale": scale}
    config = toy.toy_config(folder, encoder=encoder, training=training, plugins=PLUGINS)
    try:
        run_experiment(config, folder / name, InterruptAfter(events or -1))  # -1: never
    except Interrupt:
        resume_run(folder / name)
    return read_results(folder / name)


def test_interrupted_run_draws_the_same_augmentations(tmp_path: Path) -> None:
    whole = run(tmp_path, "whole", 0.5)
    assert whole == run(tmp_path, "again", 0.5)
    assert whole["model.safetensors"] != run(tmp_path, "plain", 0.0)["model.safetensors"]
    for events in (2, 4):  # within the first epoch, and after its last batch
        assert run(tmp_path, f"cut-{events}", 0.5, events) == whole


def test_only_training_batches_are_augmented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[tuple[bool, int]] = []
    build_batch = Examples.build_batch

    def count(examples: Any, *arguments: Any, **options: Any) -> Any:
        before = examples.encoder.n_augmented
        batch = build_batch(examples, *arguments, **options)
        counts.append((len(arguments) > 2, examples.encoder.n_augmented - before))
        return batch

    monkeypatch.setattr(Examples, "build_batch", count)
    run(tmp_path, "run", 0.5)
    assert {(is_training, augmented) for is_training, augmented in counts} == {(True, 1), (False, 0)}


def test_next_batch_is_loaded_ahead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(Examples, "prefetch", lambda self, rows: sizes.append(len(rows)))
    run(tmp_path, "run", 0.5)
    assert len(sizes) == 4  # of each of two epochs, all batches but the first of three


class PixelTargets(TargetTable):
    def get_targets(
        self,
        row_indices: torch.Tensor,
        token_ids: torch.Tensor | None,
        token_mask: torch.Tensor | None,
        pixel_indices: torch.Tensor | None = None,
    ) -> torch.Tensor:
        return torch.zeros(len(row_indices), 1) if pixel_indices is None else pixel_indices.unsqueeze(1)


def test_targets_receive_the_sources_of_the_pixels() -> None:
    encoder = jitter.JitteredArrays(0.0)
    inputs = [np.array([row], dtype=np.float32) for row in range(4)]
    encoder.fit(encoder.parse(inputs))
    examples = Examples(encoder, encoder.encode(encoder.parse(inputs)), np.ones(4, dtype=np.int64), [PixelTargets()])
    sources = torch.tensor([[1, 0, -1], [0, 1, 2]])
    examples.prefetch(np.array([2, 0]))
    assert encoder.prefetched == [2]
    batch = examples.build_batch(np.array([2, 0]), CPU, augmentation=lambda values: (values + 1, sources))
    assert torch.equal(batch.targets[0][:, 0], sources)
    assert torch.equal(batch.inputs, examples.build_batch(np.array([2, 0]), CPU).inputs + 1)


class Shifted(jitter.JitteredArrays):
    image_size = (1, 3)

    def augment(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        return inputs + 1, torch.tensor([[-1, 0, 1]]).expand(len(inputs), -1)


def test_columns_are_augmented_and_prefetched_each_by_its_encoder() -> None:
    photo, plain = Shifted(0.0), jitter.JitteredArrays(0.0)
    encoder = ColumnsEncoder({"plain": plain, "photo": photo}, None, frozenset())
    array = np.arange(3, dtype=np.float32)
    parsed = encoder.parse([{"photo": array, "plain": array}, {"photo": None, "plain": array}])
    encoder.fit(iter(parsed))
    items = encoder.encode(parsed)
    encoder.prefetch(items)
    assert (photo.prefetched, plain.prefetched) == ([1], [2])
    batch, sources = encoder.augment(encoder.collate(items))
    assert sources is not None
    assert sources.tolist() == [[-1, 0, 1], [0, 1, 2]]
    assert torch.equal(batch.columns["photo"].inputs, encoder.collate(items).columns["photo"].inputs + 1)
    assert encoder.image_size == (1, 3)
