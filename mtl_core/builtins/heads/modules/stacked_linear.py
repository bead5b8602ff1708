"""The linear layers of several tasks as one matrix."""

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from mtl_core.nn.heads import HeadGroup
from mtl_core.nn.task_features import TaskFeatures


class StackedLinear(HeadGroup):
    """Dropout and one linear layer per task, computed as one matrix product for all tasks.

    The initial weights are those of one `nn.Linear` per task. All tasks of a group have the same dropout mask.

    Args:
        width: Number of features.
        outputs: Number of outputs per task.
        tasks: Number of tasks.
        dropout: Dropout before the layers.
    """

    def __init__(self, width: int, outputs: int, tasks: int, dropout: float) -> None:
        super().__init__()
        layers = [nn.Linear(width, outputs) for _ in range(tasks)]
        self.weight = nn.Parameter(torch.stack([layer.weight.detach() for layer in layers]))
        """`(tasks, outputs, width)`, float32."""
        self.bias = nn.Parameter(torch.stack([layer.bias.detach() for layer in layers]))
        """`(tasks, outputs)`, float32."""
        self.dropout = nn.Dropout(dropout)

    def compute_outputs(self, values: torch.Tensor) -> torch.Tensor:
        """Return the outputs of all tasks for vectors.

        Args:
            values: `(..., width)`, float.

        Returns:
            `(..., tasks, outputs)`.
        """
        outputs = F.linear(self.dropout(values), self.weight.flatten(0, 1), self.bias.flatten())
        return outputs.view(*outputs.shape[:-1], *self.bias.shape)

    def compute_task_outputs(self, features: TaskFeatures, values: torch.Tensor) -> torch.Tensor:
        """Return the outputs of each task for its own vectors, in one batched product.

        Args:
            features: The features of the tasks.
            values: `(active tasks, n, width)`, float: the vectors of the active tasks.

        Returns:
            `(n, tasks, outputs)`, with zeros for inactive tasks.
        """
        weight, bias = features.select_rows(self.weight), features.select_rows(self.bias)
        if self.training and self.dropout.p:  # one mask for all tasks, whichever are active
            values = values * self.dropout(torch.ones_like(values[0]))
        outputs = torch.baddbmm(bias.unsqueeze(1), values, weight.transpose(1, 2))
        return features.fill_inactive(outputs).transpose(0, 1)

    def stacked_parameters(self) -> list[nn.Parameter]:
        """Return all parameters: the first dimension of each is the task."""
        return [self.weight, self.bias]
