"""The run-time class of regression per pixel."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.builtins.task_kinds.runtime.regression import RegressionKind


class DenseRegressionKind(RegressionKind):
    """Regression to one number, or one vector, per pixel."""

    def decode_mask(self, outputs: torch.Tensor) -> NDArray[Any]:
        """Return numbers in the units of the labels, `(pixels,)` or `(pixels, channels)`, float32."""
        numbers = self._unscale(outputs.cpu()).float().numpy()
        return numbers if self._vector else numbers[:, 0]

    def summarize_mask(self, mask: NDArray[Any]) -> dict[str, Any]:
        """Return mean, minimum and maximum over the pixels; lists for several channels."""
        axes = tuple(range(2))
        values = {"mean": mask.mean(axis=axes), "minimum": mask.min(axis=axes), "maximum": mask.max(axis=axes)}
        return {name: np.round(np.asarray(value, dtype=np.float64), 6).tolist() for name, value in values.items()}
