"""Errors for non-finite losses and weights."""

from collections.abc import Sequence

from mtl_core.errors import MtlError

SHOWN = 5
"""Maximum number of example ids in a message."""


class NotFiniteError(MtlError):
    """A loss is infinite or NaN, so training cannot continue.

    Args:
        task: The task of the loss.
        places: Indices in the batch of the examples that cause it; empty if unknown.
    """

    def __init__(self, task: str, places: Sequence[int]) -> None:
        super().__init__(f"the loss of task '{task}' is not finite")
        self.task = task
        self.places = list(places)


class TrainingFailedError(MtlError):
    """Training stopped at a non-finite number. The network contains the last finite weights.

    Args:
        what: What is not finite, and where.
        rows: Indices of the examples that cause it; empty if unknown.
        size: Number of examples in the batch.
        good: Description of the weights of the network; None if there are no finite weights.
    """

    def __init__(self, what: str, rows: Sequence[int], size: int, good: str | None) -> None:
        super().__init__(what)
        self.what = what
        self.rows, self.size, self.good = list(rows), size, good

    def told(self, ids: Sequence[str], kept: str) -> MtlError:
        """Return the error as a message for the user.

        Args:
            ids: The ids of all examples of the corpus.
            kept: A sentence about what the run directory contains.
        """
        whose = ""
        if self.rows:
            share = "all" if len(self.rows) == self.size else str(len(self.rows))
            whose = f" for {share} of its {self.size} examples ({_listed([ids[row] for row in self.rows])})"
        look = "check these examples, or try" if self.rows and len(self.rows) < self.size else "try"
        return MtlError(f"{self.what}{whose}; {look} a lower optimizer.lr or a training.clip_norm. {kept}")


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"id{'s' if len(ids) > 1 else ''} {', '.join(ids[:SHOWN])}{more}"
