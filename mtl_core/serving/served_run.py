"""The object that all routes receive: a run, and the methods that compute its predictions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_core.runs.prediction_inputs import PredictionInput
from mtl_core.serving.limits import Limits
from mtl_core.serving.request_queue import PredictionResult, QueuedRequest

if TYPE_CHECKING:
    from mtl_core.runs.prediction import Prediction
    from mtl_core.runs.saved_run import SavedRun
    from mtl_core.serving.page_layout import PageLayout
    from mtl_core.serving.worker import Worker


@dataclass(frozen=True)
class ServedRun:
    """A run that is served.

    One thread owns the network. Routes never call the network directly: they call `predict` or `predict_stream`.

    Attributes:
        path: The run directory.
        saved: The run: its config, its tasks. Only the worker may use its network.
        limits: The limits of requests; a body that is too large is refused before it reaches a route.
        worker: The prediction thread.
        page_layout: The layout of pages: `page_layout.render_page(title, content)`.
    """

    path: Path
    saved: SavedRun
    limits: Limits
    worker: Worker
    page_layout: PageLayout

    async def predict(
        self, inputs: Sequence[PredictionInput], attention: bool = False, data_set: str | None = None
    ) -> list[PredictionResult]:
        """Compute the predictions of some texts, in a route that is a coroutine.

        Args:
            inputs: The texts, at most `limits.max_texts`; `location` is the location of each in messages.
            attention: Whether to return tokens and attention weights.
            data_set: The data set whose loader reads the texts; the first if left out.

        Returns:
            For each text its prediction or its exception: an `MtlError` for errors in the input, or another.

        Raises:
            QueueFullError: If the queue is full.
            TimeoutError: If it takes longer than `limits.timeout`. Texts whose prediction has not started are
                dropped, as they are when the calling task is cancelled.
        """
        request = QueuedRequest(inputs, attention, data_set)
        self.worker.submit(request)
        return await asyncio.wait_for(asyncio.wrap_future(request.future), self.limits.timeout)

    def predict_stream(
        self, inputs: Iterable[PredictionInput], attention: bool = False, data_set: str | None = None
    ) -> Iterator[Prediction]:
        """Compute the predictions of a stream of texts, in its order, in a route that runs in a thread.

        It returns the same as `mtl_core.runs.predict_inputs.iterate_predictions`, in constant memory. Texts enter the
        queue one batch at a time, so that other requests are processed in between. It has no timeout and ignores
        the queue limit.

        Raises:
            MtlError: If a text is invalid, or the server is stopping.
        """
        stream = iter(inputs)
        while batch := list(islice(stream, self.limits.batch_size)):
            request = QueuedRequest(batch, attention, data_set)
            self.worker.submit(request, ignore_limit=True)
            for result in request.future.result():
                if isinstance(result, Exception):
                    raise result
                yield result
