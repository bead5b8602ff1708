"""Checks of task kinds with one label per pixel."""

import json

import numpy as np
import torch

from mtl_core.data.dense_space import DenseSpace
from mtl_core.data.masks import Mask
from mtl_core.testing.checks import expect, fail
from mtl_core.testing.kind_fixture import KindFixture
from mtl_core.testing.sample_labels import LabelSample
from mtl_core.testing.tensors import expect_close

MAX_SUMMARY_LENGTH = 2000
"""Largest length of the summary of a mask as JSON."""


class MaskChecks:
    """Checks of a kind that reads and predicts masks.

    Args:
        fixture: The kind with sample masks.
    """

    def __init__(self, fixture: KindFixture) -> None:
        self.fixture = fixture

    @property
    def _space(self) -> DenseSpace:
        if not isinstance(self.fixture.space, DenseSpace):
            fail(f"expected a `DenseSpace`, found a {type(self.fixture.space).__name__}")
        return self.fixture.space

    @property
    def _masks(self) -> list[Mask]:
        sample = self.fixture.sample
        return [label for label in sample.labels if isinstance(label, Mask)] if sample is not None else []

    def check_reading(self) -> None:
        """Read each mask, and compare its targets with the encoded labels of its pixels."""
        for mask in self._masks:
            labels = LabelSample("mask", "pixel", [mask], "").encodable_labels
            actual = torch.from_numpy(self._space.read_targets(mask, mask.array.shape[:2]))
            expected = self.fixture.encode(labels)
            expect(actual.shape == expected.shape, f"expected targets of shape {tuple(expected.shape)}")
            expect_close(actual.float(), expected.float(), 1e-6, "the targets of a mask")

    def check_unlabelled_pixels(self) -> None:
        """Mark one pixel as unlabelled by NaN."""
        for mask in self._masks:
            size = mask.array.shape[:2]
            marked = mask.array.astype(np.float64)
            marked[0, 1] = np.nan
            targets = torch.from_numpy(self._space.read_targets(Mask(marked), size))
            label_mask = self.fixture.compute_label_mask(targets)
            expected = torch.arange(len(targets)) != 1
            expect(
                torch.equal(label_mask, expected),
                f"expected all pixels except the second to be labelled, found {label_mask.tolist()}",
            )
            complete = torch.from_numpy(self._space.read_targets(mask, size))
            expect_close(targets[expected].float(), complete[expected].float(), 0, "the targets of labelled pixels")

    def check_predicted_masks(self) -> None:
        """Decode outputs as a mask, and compare it with the labels that are decoded one by one."""
        kind, (height, width) = self.fixture.kind, (3, 4)
        generator = torch.Generator().manual_seed(0)
        outputs = torch.randn(height * width, kind.n_outputs, generator=generator)
        pixels = kind.decode_mask(outputs)
        expect(
            isinstance(pixels, np.ndarray) and len(pixels) == len(outputs) and pixels.ndim in {1, 2},
            f"expected an array (pixels,) or (pixels, channels), found {type(pixels).__name__}",
        )
        labels = [prediction.label for prediction in kind.decode(outputs)]
        if self._space.classes:
            expect(pixels.dtype.kind == "u", f"expected indices of classes as unsigned integers, found {pixels.dtype}")
            expect(
                [self._space.classes[code] for code in pixels.tolist()] == labels,
                "expected the classes that `decode` returns",
            )
        else:
            expect(pixels.dtype == np.float32, f"expected numbers as float32, found {pixels.dtype}")
            numbers = torch.tensor(labels, dtype=torch.float64)
            expect_close(torch.from_numpy(pixels).double(), numbers, 1e-5, "the predicted mask")
        summary = json.dumps(kind.summarize_mask(pixels.reshape(height, width, *pixels.shape[1:])))
        expect(len(summary) <= MAX_SUMMARY_LENGTH, f"expected a short summary, found {len(summary)} characters")
