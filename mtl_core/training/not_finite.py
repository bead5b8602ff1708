"""Numbers that have become infinite or no numbers at all, and where they were met."""

from collections.abc import Sequence

from mtl_core.errors import MtlError

SHOWN = 5
"""Examples that are named."""


class NotFiniteError(MtlError):
    """A loss is infinite or not a number, so training cannot go on.

    Args:
        task: The task whose loss it is.
        places: The places in the batch of the examples that it comes from; none if it cannot be told.
    """

    def __init__(self, task: str, places: Sequence[int]) -> None:
        super().__init__(f"the loss of task '{task}' is not finite")
        self.task = task
        self.places = list(places)


class TrainingFailedError(MtlError):
    """A training met numbers that are not finite. The network is left with the last good weights.

    Args:
        what: What was met, and where.
        rows: The examples that it comes from; none if it cannot be told.
        size: Examples in the batch.
        good: Which weights the network is left with, in words; None if there are no good ones.
    """

    def __init__(self, what: str, rows: Sequence[int], size: int, good: str | None) -> None:
        super().__init__(what)
        self.what = what
        self.rows, self.size, self.good = list(rows), size, good

    def told(self, ids: Sequence[str], kept: str) -> MtlError:
        """The same for the user.

        Args:
            ids: The id of every example of the corpus.
            kept: What is left of the run, a sentence.
        """
        whose = ""
        if self.rows:
            share = "all" if len(self.rows) == self.size else str(len(self.rows))
            whose = f" for {share} of its {self.size} examples ({_listed([ids[row] for row in self.rows])})"
        look = "look at these examples, or try" if self.rows and len(self.rows) < self.size else "try"
        return MtlError(f"{self.what}{whose}; {look} a lower optimizer.lr or a training.clip_norm. {kept}")


def _listed(ids: Sequence[str]) -> str:
    more = f" and {len(ids) - SHOWN} more" if len(ids) > SHOWN else ""
    return f"id{'s' if len(ids) > 1 else ''} {', '.join(ids[:SHOWN])}{more}"
