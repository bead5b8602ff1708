"""Errors for non-finite losses and weights."""

from collections.abc import Sequence

from mtl_core.errors import MtlError, join_names

MAX_IDS_IN_MESSAGE = 5
"""Maximum number of example ids in a message."""


class NonFiniteLossError(MtlError):
    """A loss is infinite or NaN, so training cannot continue.

    Args:
        task: The task of the loss.
        indices: Indices in the batch of the examples that cause it; empty if unknown.
    """

    def __init__(self, task: str, indices: Sequence[int]) -> None:
        super().__init__(f"the loss of task '{task}' is not finite")
        self.task = task
        self.indices = list(indices)


class TrainingFailedError(MtlError):
    """Training stopped at a non-finite number. The network contains the last finite weights.

    Args:
        reason: What is not finite, and where.
        row_indices: Indices of the examples that cause it; empty if unknown.
        batch_size: Number of examples in the batch.
        weights_description: Description of the weights of the network; None if there are no finite weights.
    """

    def __init__(
        self, reason: str, row_indices: Sequence[int], batch_size: int, weights_description: str | None
    ) -> None:
        super().__init__(reason)
        self.reason, self.row_indices, self.batch_size = reason, list(row_indices), batch_size
        self.weights_description = weights_description

    def to_user_error(self, ids: Sequence[str], run_status: str) -> MtlError:
        """Return the error as a message for the user.

        Args:
            ids: The ids of all examples of the corpus.
            run_status: A sentence about what the run directory contains.
        """
        examples = ""
        if self.row_indices:
            amount = "all" if len(self.row_indices) == self.batch_size else str(len(self.row_indices))
            noun = "id" if len(self.row_indices) == 1 else "ids"
            names = join_names([ids[row] for row in self.row_indices], MAX_IDS_IN_MESSAGE)
            examples = f" for {amount} of its {self.batch_size} examples ({noun} {names})"
        advice = (
            "check these examples, or try" if self.row_indices and len(self.row_indices) < self.batch_size else "try"
        )
        return MtlError(
            f"{self.reason}{examples}; {advice} a lower optimizer.lr or a training.max_grad_norm. {run_status}"
        )
