"""The queue of texts. Requests are served round-robin, so that a long one does not delay short ones."""

import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from time import monotonic

from mtl_core.errors import MtlError
from mtl_core.runs.prediction import Prediction
from mtl_core.runs.prediction_inputs import PredictionInput

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


class QueueFullError(Exception):
    """The queue has no space for the texts."""


class RequestQueue:
    """The queue of texts.

    Args:
        max_texts: Maximum texts in the queue.
        batch_size: Maximum texts per batch.
        max_batch_delay: Maximum seconds that the first text of a batch waits for more texts.
    """

    def __init__(self, max_texts: int, batch_size: int, max_batch_delay: float) -> None:
        self._max_texts = max_texts
        self._batch_size = batch_size
        self._max_batch_delay = max_batch_delay
        self._requests: deque[tuple[QueuedRequest, Iterator[QueuedText]]] = deque()
        self._n_texts = 0
        self._is_closed = False
        self._condition = threading.Condition()

    def __len__(self) -> int:
        """Return the number of texts in the queue; cancelled texts count until they are dequeued."""
        return self._n_texts

    def put(self, request: QueuedRequest, ignore_limit: bool = False) -> None:
        """Add a request to the queue.

        Args:
            request: The request.
            ignore_limit: Whether to ignore the limit, for streams that add one batch at a time.

        Raises:
            QueueFullError: If the queue is full.
            MtlError: If the queue is closed.
        """
        with self._condition:
            if self._is_closed:
                raise MtlError("the server is stopping")
            if not ignore_limit and self._n_texts + len(request.inputs) > self._max_texts:
                raise QueueFullError(f"{self._n_texts} texts in the queue")
            texts = (QueuedText(request, index) for index in range(len(request.inputs)))
            self._requests.append((request, texts))
            self._n_texts += len(request.inputs)
            self._condition.notify()

    def close(self) -> None:
        """Close the queue: it accepts no more requests, and its texts are still processed."""
        with self._condition:
            self._is_closed = True
            self._condition.notify()

    @property
    def is_closed(self) -> bool:
        """Whether the queue is closed."""
        return self._is_closed

    def get_batch(self) -> list[QueuedText]:
        """Wait for the next batch, round-robin over requests, and return it; empty when the queue is closed."""
        with self._condition:
            while True:
                self._condition.wait_for(lambda: self._n_texts or self._is_closed)
                if self._max_batch_delay:
                    self._wait_for_texts(monotonic() + self._max_batch_delay)
                batch = self._pop_batch()
                if batch or (self._is_closed and not self._requests):
                    return batch

    def _wait_for_texts(self, deadline: float) -> None:
        while self._n_texts < self._batch_size and not self._is_closed and (remaining := deadline - monotonic()) > 0:
            self._condition.wait(remaining)

    def _pop_batch(self) -> list[QueuedText]:
        batch: list[QueuedText] = []
        while self._requests and len(batch) < self._batch_size:
            request, texts = self._requests.popleft()
            text = next(texts, None)
            if text is None:
                continue
            if not request.is_pending:
                self._n_texts -= len(request.inputs) - text.index
                continue
            batch.append(text)
            self._n_texts -= 1
            self._requests.append((request, texts))
        return batch
