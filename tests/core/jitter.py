"""An encoder that adds noise to arrays: random draws per training batch, as augmentations have."""

from __future__ import annotations

from typing import Any, Literal

import torch

from mtl_core import EncoderSpec, hookimpl
from mtl_core.builtins.encoders.modules.array import StandardisedArrays


class Jitter(EncoderSpec):
    """Arrays, with noise in training batches."""

    type: Literal["jitter"] = "jitter"
    scale: float = 0.1
    """Standard deviation of the noise."""

    def build(self) -> JitteredArrays:
        return JitteredArrays(self.scale)


class JitteredArrays(StandardisedArrays):
    def __init__(self, scale: float) -> None:
        super().__init__(standardise=True)
        self.scale = scale
        self.n_augmented = 0
        self.prefetched: list[int] = []

    def prefetch(self, items: Any) -> None:
        self.prefetched.append(len(items))

    def augment(self, inputs: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
        self.n_augmented += 1
        return inputs + torch.randn_like(inputs) * self.scale, None


@hookimpl
def mtl_encoders() -> list[type[EncoderSpec]]:
    return [Jitter]
