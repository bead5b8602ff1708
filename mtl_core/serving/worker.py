"""The prediction thread, which owns the network."""

import threading
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from mtl_core.data.local_files import forbid_local_files
from mtl_core.runs.prediction import Prediction
from mtl_core.runs.prediction_inputs import PredictionInput
from mtl_core.serving.request_queue import PredictionResult, QueuedRequest, QueuedText, RequestQueue

PredictFunction = Callable[[Sequence[PredictionInput], bool, str | None], Sequence[Prediction]]
"""Maps texts, whether to return attention weights, and a data set to predictions."""
BatchCallback = Callable[[int, float], None]
"""Called with the number of texts of a batch and its seconds."""

MAX_PADDING = 256
"""The maximum padding of a batch, in characters; beyond it, another batch is cheaper."""


class Worker:
    """One thread that computes the predictions of the texts in a queue, in batches.

    Args:
        predict: The prediction function of the network. It is only called in this thread.
        queue: The queue.
        threads: The number of torch threads; the default of torch if None.
        on_batch_end: Called after each batch.
    """

    def __init__(
        self, predict: PredictFunction, queue: RequestQueue, threads: int | None, on_batch_end: BatchCallback
    ) -> None:
        self.queue = queue
        self._predict = predict
        self._threads = threads
        self._on_batch_end = on_batch_end
        self._seconds_per_text = 0.01  # moving average per text
        self._thread = threading.Thread(target=self._run, name="network", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Close the queue, process its texts, and join the thread."""
        self.queue.close()
        if self._thread.is_alive():
            self._thread.join()

    @property
    def is_ready(self) -> bool:
        """Whether the thread runs and the queue is open."""
        return self._thread.is_alive() and not self.queue.is_closed

    def submit(self, request: QueuedRequest, ignore_limit: bool = False) -> None:
        """Add texts to the queue; see `RequestQueue.put`."""
        self.queue.put(request, ignore_limit)

    def estimate_wait_seconds(self) -> float:
        """Estimate the seconds until all texts in the queue are processed."""
        return len(self.queue) * self._seconds_per_text

    def _run(self) -> None:
        if self._threads is not None:
            import torch

            torch.set_num_threads(self._threads)
        while texts := self.queue.get_batch():
            for batch in group_into_batches(texts):
                start = perf_counter()
                for text, result in zip(batch, self._predict_batch(batch), strict=True):
                    text.request.set_result(text.index, result)
                seconds = perf_counter() - start
                self._seconds_per_text = 0.8 * self._seconds_per_text + 0.2 * seconds / len(batch)
                self._on_batch_end(len(batch), seconds)

    def _predict_batch(self, batch: Sequence[QueuedText]) -> Sequence[PredictionResult]:
        """Predict a batch; if that fails, predict each text separately, so that only the failing texts fail."""
        first_request = batch[0].request
        try:
            with forbid_local_files():
                return self._predict(
                    [text.prediction_input for text in batch], first_request.attention, first_request.data_set
                )
        except Exception as error:  # noqa: BLE001  (each text receives its exception)
            return [error] if len(batch) == 1 else [result for text in batch for result in self._predict_batch([text])]


def group_into_batches(texts: Sequence[QueuedText]) -> Iterator[list[QueuedText]]:
    """Divide texts into batches of similar length and equal options.

    A text of 5,000 words in a batch with thirty short ones would make all of them as expensive as itself.
    """
    batch: list[QueuedText] = []
    n_characters = 0
    for text in sorted(texts, key=_sort_key):
        *options, length = _sort_key(text)
        if batch and (options != list(_sort_key(batch[0])[:2]) or len(batch) * length - n_characters > MAX_PADDING):
            yield batch
            batch, n_characters = [], 0
        batch.append(text)
        n_characters += length
    yield batch


def _sort_key(text: QueuedText) -> tuple[bool, str, int]:
    return text.request.attention, text.request.data_set or "", text.prediction_input.length
