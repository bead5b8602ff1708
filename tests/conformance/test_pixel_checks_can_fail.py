"""The checks of kinds and heads with one label per pixel fail for the fault that they are about."""

from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core import FeatureShape, HeadSpec, testing
from mtl_core.builtins.heads.dense_conv import DenseConv
from mtl_core.builtins.heads.modules.dense_conv import DenseConvGroup
from mtl_core.builtins.task_kinds.runtime.segmentation import SegmentationKind
from mtl_core.builtins.task_kinds.segmentation import Segmentation
from mtl_core.data.dense_space import PixelClassSpace
from mtl_core.data.label_space import LabelSpace
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.nn.heads import HeadGroup
from mtl_core.testing.checks import Checks

KIND_FAULTS = ("read-masks", "unlabelled-pixels", "predicted-masks")


class WrongSpace(PixelClassSpace):
    wrong = ""

    def encode_mask(self, values: NDArray[Any], name: str) -> NDArray[Any]:
        codes = super().encode_mask(values, name)
        if self.wrong == "read-masks":
            return codes[::-1].copy()
        return np.where(codes < 0, 0, codes) if self.wrong == "unlabelled-pixels" else codes


class WrongKind(SegmentationKind):
    def decode_mask(self, outputs: torch.Tensor) -> NDArray[Any]:
        return super().decode_mask(outputs)[::-1]


class WrongSegmentation(Segmentation):
    """Segmentation."""

    type: Literal["wrong-segmentation"] = "wrong-segmentation"  # type: ignore[assignment]
    wrong: str = ""
    """Its fault."""

    def build_space(self, label_statistics: LabelStatistics) -> PixelClassSpace:
        space = super().build_space(label_statistics)
        space.__class__ = WrongSpace
        space.wrong = self.wrong  # type: ignore[attr-defined]
        return space

    def build(self, space: LabelSpace, counts: Any) -> Any:
        kind = super().build(space, counts)
        if self.wrong == "predicted-masks":
            kind.__class__ = WrongKind
        return kind


class FixedSizeHead(HeadSpec):
    """A head that returns the pixels of its features instead of those of the image."""

    type: Literal["fixed-size"] = "fixed-size"
    level = "pixel"
    layouts = frozenset({"spatial"})

    def build(self, inputs: FeatureShape, outputs: int) -> nn.Module:
        raise AssertionError("this head overrides build_group")

    def build_group(self, inputs: FeatureShape, outputs: int, tasks: int) -> HeadGroup:
        return DenseConvGroup(FeatureShape(inputs.width, size=(1, 1), image_size=(6, 8)), outputs, tasks, 4, 1, 0.0)


def find_failed(checks: Checks) -> set[str]:
    failed = set()
    for check in checks:
        try:
            check.run()
        except AssertionError:
            failed.add(check.name)
    return failed


@pytest.mark.parametrize("fault", ["", *KIND_FAULTS])
def test_each_check_of_masks_fails_for_its_fault(fault: str) -> None:
    checks = testing.task_kind_checks(WrongSegmentation(wrong=fault), skip={"light-import": "this test imports torch"})
    assert set(KIND_FAULTS) <= {check.name for check in checks}
    failed = find_failed(checks)
    assert fault in failed if fault else not failed


def test_a_head_that_ignores_the_size_of_the_image_fails() -> None:
    assert "shape" in find_failed(
        testing.head_checks(FixedSizeHead(), skip={"light-import": "this test imports torch"})
    )
    assert not find_failed(testing.head_checks(DenseConv(hidden_dim=4)))
