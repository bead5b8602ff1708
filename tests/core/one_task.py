"""A single task without a network: the tests provide its outputs."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mtl_core import Label
from mtl_core.config.tasks import NamedTask
from mtl_core.data.batches import Batch
from mtl_core.data.fitted_task import FittedTask, fit_task
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.data.task_groups import TaskGroup, group_tasks
from mtl_core.evaluation.inference import BatchOutputs
from mtl_core.evaluation.scorer import Scorer
from mtl_core.evaluation.scores import TaskScore
from mtl_core.nn.heads import HeadOutput
from mtl_core.training.losses import TaskLosses, build_group_loss

Labels = Sequence[Label | None]


class OneTask:
    """A task of one kind, fitted to labels.

    Args:
        kind: The block `kind:`.
        training: The training labels; missing ones are ignored.
        vocabulary: The encoder's vocabulary, for tasks that predict their input.
    """

    def __init__(self, kind: Any, training: Labels = (), vocabulary: Sequence[str] = ()) -> None:
        block = NamedTask.model_validate({"name": "t", "kind": kind, "head": "linear"})
        head = "linear" if block.kind.level == "example" else "token-linear"
        declared = NamedTask.model_validate({"name": "t", "kind": kind, "head": head})
        known = [label for label in training if label is not None]
        self.task: FittedTask = fit_task(declared, LabelStatistics(known, known, vocabulary=vocabulary))
        self.group: TaskGroup = group_tasks([self.task])[0]

    def encode_targets(self, labels: Labels) -> torch.Tensor:
        """Encode labels, `(batch, 1, ...)`; token labels are padded, `(batch, 1, length)`."""
        if self.task.config.kind.level == "token":
            return self._pad_targets(labels)
        locations = [f"row {row}" for row in range(len(labels))]
        return torch.from_numpy(self.task.space.encode(labels, locations)).unsqueeze(1)

    def _pad_targets(self, labels: Labels) -> torch.Tensor:
        missing_code = self.task.space.encode([None], ["nowhere"])
        longest = max(len(label) for label in labels if isinstance(label, list | tuple))
        table = np.repeat(missing_code, len(labels) * longest).reshape(len(labels), 1, longest)
        for row, label in enumerate(labels):
            if isinstance(label, list | tuple):
                table[row, 0, : len(label)] = self.task.space.encode(label, [f"word {w}" for w in label])
        return torch.from_numpy(table)

    def compute_mask(self, labels: Labels) -> torch.Tensor:
        """Return the mask of the labels that count."""
        return self.group.mask(self.encode_targets(labels))

    def compute_losses(
        self, outputs: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | None = None
    ) -> TaskLosses:
        """Compute the loss of outputs `(batch, ...)` under the mask; `weights` is `(batch,)`."""
        weight_table = None if weights is None else weights.unsqueeze(1)
        group_loss = build_group_loss(self.group)
        losses: TaskLosses = group_loss(outputs.unsqueeze(1), targets, self.group.mask(targets), weight_table)
        return losses

    def compute_score(self, outputs: torch.Tensor, targets: torch.Tensor) -> TaskScore:
        """Compute the metrics of outputs `(batch, ...)`, updated in two batches."""
        scorer = Scorer([self.group])
        middle = len(outputs) // 2
        for half_rows in (slice(None, middle), slice(middle, None)):
            outputs_of_half = [HeadOutput(outputs[half_rows].unsqueeze(1))]
            scorer.update(
                BatchOutputs(
                    np.arange(len(outputs))[half_rows], Batch(None, [targets[half_rows]], [None]), outputs_of_half
                )
            )
        return scorer.compute().tasks["t"]
