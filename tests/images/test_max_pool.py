"""The head on the maximum over positions."""

import torch

from mtl_core import Features, FeatureShape
from mtl_images.max_pool import MaxPool


def test_one_position_decides_however_many_there_are() -> None:
    head = MaxPool().build(FeatureShape(3, size=(4, 5)), 2)
    peak = torch.tensor([2.0, 3.0, 4.0])
    values = torch.zeros(1, 3, 4, 5)
    values[0, :, 1, 2] = peak
    expected = head.layers[1](peak)  # type: ignore[index, operator]
    torch.testing.assert_close(head(Features(values))[0], expected)
    torch.testing.assert_close(head(Features(values.roll(2, dims=3)))[0], expected)
