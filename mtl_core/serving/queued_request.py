"""The texts of one request in the queue, and their results."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from mtl_core.runs.predict import PredictionInput
from mtl_core.runs.prediction import Prediction

PredictionResult = Prediction | Exception
"""The result for a text: a prediction, or the exception that prevented it."""


class QueuedRequest:
    """The texts of one request.

    Args:
        inputs: The texts; at least one.
        attention: Whether to return tokens and attention weights.
        data_set: The data set whose loader reads the texts; the first if None.

    Attributes:
        future: The results, done when all texts are. If it is cancelled, texts that have not started are dropped.
    """

    def __init__(self, inputs: Sequence[PredictionInput], attention: bool, data_set: str | None) -> None:
        self.inputs = inputs
        self.attention = attention
        self.data_set = data_set
        self.future: Future[list[PredictionResult]] = Future()
        self._results: list[PredictionResult | None] = [None] * len(inputs)
        self._n_pending = len(inputs)

    @property
    def is_pending(self) -> bool:
        """Whether the results are still needed."""
        return not self.future.done()

    def set_result(self, index: int, result: PredictionResult) -> None:
        """Set the result of one text. Only one thread calls this, once per text."""
        self._results[index] = result
        self._n_pending -= 1
        if not self._n_pending and self.future.set_running_or_notify_cancel():
            self.future.set_result([item for item in self._results if item is not None])


@dataclass(frozen=True)
class QueuedText:
    """One text of a request in the queue."""

    request: QueuedRequest
    index: int

    @property
    def prediction_input(self) -> PredictionInput:
        """The text."""
        return self.request.inputs[self.index]
