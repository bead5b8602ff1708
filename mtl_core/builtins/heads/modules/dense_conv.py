"""The convolutional head for pixels."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.nn.heads import HeadGroup, HeadOutput


class DenseConvGroup(HeadGroup):
    """The convolutions of several tasks, computed together.

    Args:
        inputs: The shape of the features.
        outputs: Number of outputs per pixel.
        tasks: Number of tasks.
        hidden_dim: Number of hidden channels per task; 0 for one linear layer per position.
        dilation: Distance between the positions that the convolution reads.
        dropout: Dropout of whole channels before the last layer.
    """

    def __init__(
        self, inputs: FeatureShape, outputs: int, tasks: int, hidden_dim: int, dilation: int, dropout: float
    ) -> None:
        super().__init__()
        if inputs.image_size is None:
            raise MtlError("the head 'dense-conv' upsamples to the size of the image, which is unknown")
        self.image_size = inputs.image_size
        self.dilation, self.tasks = dilation, tasks
        convolutions = [nn.Conv2d(inputs.width, hidden_dim, 3) for _ in range(tasks if hidden_dim else 0)]
        layers = [nn.Conv2d(hidden_dim or inputs.width, outputs, 1) for _ in range(tasks)]
        self.hidden_weight = _stack([layer.weight for layer in convolutions])
        self.hidden_bias = _stack([layer.bias for layer in convolutions])
        self.weight = _stack([layer.weight for layer in layers])
        self.bias = _stack([layer.bias for layer in layers])
        self.dropout = nn.Dropout2d(dropout)

    def forward(self, features: Features, output_mask: torch.Tensor | None = None) -> HeadOutput:
        """Return outputs `(batch, tasks, pixels, outputs)`, row by row."""
        values, groups = features.values, 1
        if self.hidden_weight is not None and self.hidden_bias is not None:
            values = F.conv2d(
                values,
                self.hidden_weight.flatten(0, 1),
                self.hidden_bias.flatten(),
                padding=self.dilation,
                dilation=self.dilation,
            ).relu()
            groups = self.tasks
        assert self.weight is not None and self.bias is not None  # noqa: S101, PT018  there is at least one task
        values = F.conv2d(self.dropout(values), self.weight.flatten(0, 1), self.bias.flatten(), groups=groups)
        if values.shape[2:] != self.image_size:
            values = F.interpolate(values, size=self.image_size, mode="bilinear", align_corners=False)
        n_pixels = self.image_size[0] * self.image_size[1]
        return HeadOutput(values.view(len(values), self.tasks, -1, n_pixels).transpose(2, 3))

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return all parameters: the first dimension of each is the task."""
        return list(self.parameters())


def _stack(tensors: list[torch.Tensor | None]) -> nn.Parameter | None:
    """Stack initial values of several tasks; None without any."""
    values = [tensor.detach() for tensor in tensors if tensor is not None]
    return nn.Parameter(torch.stack(values)) if values else None
