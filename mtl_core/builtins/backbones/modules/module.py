"""A user's module as a backbone: tensors in, tensors out."""

import inspect

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape

SAMPLE_BATCH, SAMPLE_LENGTH = 2, 3
"""Size of the sample with which the shape of the output is determined."""


class TensorBackbone(nn.Module):
    """A backbone from a module that reads and returns tensors.

    Args:
        name: The name of the module, for messages.
        module: The module.
        inputs: The shape of its input features.

    Raises:
        MtlError: If the module cannot read such features, or does not return a tensor of features.
    """

    def __init__(self, name: str, module: nn.Module, inputs: FeatureShape) -> None:
        super().__init__()
        self.module = module
        self._name = name
        self._reads_mask = "mask" in inspect.signature(module.forward).parameters
        declared = getattr(module, "output", None)
        self._reads_features = isinstance(declared, FeatureShape)
        self.output = declared if isinstance(declared, FeatureShape) else self._find_output(inputs)

    def forward(self, features: Features) -> Features:
        """Return the features that the module computes."""
        if self._reads_features:
            result: Features = self.module(features)
            return result
        values = self.module(features.values, mask=features.mask) if self._reads_mask else self.module(features.values)
        if not isinstance(values, torch.Tensor):
            raise MtlError(
                f"the backbone '{self._name}' returned a {type(values).__name__}, expected one tensor of features"
            )
        if values.ndim not in {2, 3, 4} or len(values) != len(features.values):
            raise MtlError(
                f"the backbone '{self._name}' returned a tensor of shape {tuple(values.shape)} for "
                f"{tuple(features.values.shape)}, expected (batch, width), (batch, length, width) or (batch, channels, "
                "height, width)"
            )
        if values.ndim != 3:
            return Features(values)
        if features.mask is None or values.shape[1] != features.mask.shape[1]:
            raise MtlError(
                f"the backbone '{self._name}' returned a sequence of shape {tuple(values.shape)} for "
                f"{tuple(features.values.shape)}; the length of a sequence must not change, and only a sequence can be "
                "returned as one"
            )
        return Features(values, features.mask)

    def _find_output(self, inputs: FeatureShape) -> FeatureShape:
        """Determine the shape of the output with zeros as input, in evaluation mode."""
        training = {module: module.training for module in self.module.modules()}
        self.module.eval()
        try:
            with torch.no_grad():
                output = self(_build_sample(inputs))
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError, AssertionError) as error:
            problem = str(error).strip().splitlines() or [type(error).__name__]
            raise MtlError(
                f"the backbone '{self._name}' cannot read {_describe(inputs)}: {type(error).__name__}: {problem[0]}"
            ) from error
        finally:
            for module, is_training in training.items():
                module.training = is_training
        values = output.values
        if values.ndim == 4:
            size = (int(values.shape[2]), int(values.shape[3]))
            return FeatureShape(values.shape[1], size=size, image_size=inputs.image_size)
        return FeatureShape(values.shape[-1], sequence=values.ndim == 3, image_size=inputs.image_size)


def _build_sample(inputs: FeatureShape) -> Features:
    if inputs.size is not None:
        return Features(torch.zeros(SAMPLE_BATCH, inputs.width, *inputs.size))
    if inputs.sequence:
        mask = torch.ones(SAMPLE_BATCH, SAMPLE_LENGTH, dtype=torch.bool)
        return Features(torch.zeros(SAMPLE_BATCH, SAMPLE_LENGTH, inputs.width), mask)
    return Features(torch.zeros(SAMPLE_BATCH, inputs.width))


def _describe(inputs: FeatureShape) -> str:
    if inputs.size is not None:
        return f"images of shape (batch, {inputs.width}, {inputs.size[0]}, {inputs.size[1]})"
    if inputs.sequence:
        return f"sequences of shape (batch, length, {inputs.width})"
    return f"features of shape (batch, {inputs.width})"
