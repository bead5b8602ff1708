"""The run-time class of semantic segmentation."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.builtins.task_kinds.runtime.classification import ClassificationKind


class SegmentationKind(ClassificationKind):
    """Semantic segmentation: one of several classes per pixel. It has no calibration."""

    def decode_mask(self, outputs: torch.Tensor) -> NDArray[Any]:
        """Return the index of each pixel's class, `(pixels,)`, uint8 (uint16 for more than 256 classes)."""
        dtype = np.uint8 if len(self.classes) <= 256 else np.uint16
        return outputs.argmax(dim=-1).cpu().numpy().astype(dtype)

    def summarize_mask(self, mask: NDArray[Any]) -> dict[str, Any]:
        """Return the share of the pixels of each predicted class, from the largest."""
        counts = np.bincount(mask.ravel(), minlength=len(self.classes))
        order = np.argsort(-counts, kind="stable")
        shares = counts / mask.size
        return {"shares": {self.classes[code]: round(float(shares[code]), 6) for code in order if counts[code]}}

    def fit_calibration(self, outputs: torch.Tensor, targets: torch.Tensor) -> Mapping[str, float]:
        """Return no parameters."""
        return {}
