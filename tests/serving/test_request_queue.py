"""The request queue, and how its texts are grouped into batches."""

import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.data.local_files import check_local_files_allowed
from mtl_core.errors import MtlError
from mtl_core.runs.prediction import Prediction
from mtl_core.runs.prediction_inputs import PredictionInput
from mtl_core.serving.request_queue import QueuedRequest, QueuedText, QueueFullError, RequestQueue
from mtl_core.serving.worker import MAX_PADDING, Worker, group_into_batches


def build_request(*texts: str, attention: bool = False, data_set: str | None = None) -> QueuedRequest:
    return QueuedRequest([PredictionInput(text, text, "a test") for text in texts], attention, data_set)


def drain_batches(queue: RequestQueue) -> list[list[str]]:
    """Return all batches until the queue is empty."""
    queue.close()
    batches = []
    while texts := queue.get_batch():
        batches.append([text.prediction_input.text for text in texts])
    return batches


@settings(max_examples=50)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(1, 5))
def test_every_text_is_taken_once_and_in_order(sizes: list[int], batch_size: int) -> None:
    queue = RequestQueue(100, batch_size, 0.0)
    for number, size in enumerate(sizes):
        queue.put(build_request(*(f"{number}-{index}" for index in range(size))))
    batches = drain_batches(queue)
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    assert all(len(batch) == batch_size for batch in batches[:-1]), "a batch is full while texts are queued"
    all_texts = [text for batch in batches for text in batch]
    for number, size in enumerate(sizes):
        request_texts = [text for text in all_texts if text.startswith(f"{number}-")]
        assert request_texts == [f"{number}-{index}" for index in range(size)]
    assert len(all_texts) == sum(sizes)
    assert len(queue) == 0


def test_long_request_does_not_delay_a_short_one() -> None:
    queue = RequestQueue(1000, 4, 0.0)
    queue.put(build_request(*(f"long {index}" for index in range(500))))
    queue.put(build_request("short"))
    assert "short" in [text.prediction_input.text for text in queue.get_batch()]


def test_cancelled_requests_are_dropped() -> None:
    queue = RequestQueue(10, 2, 0.0)
    cancelled, remaining = build_request("a", "b", "c"), build_request("d")
    queue.put(cancelled)
    queue.put(remaining)
    assert cancelled.future.cancel()
    assert drain_batches(queue) == [["d"]]
    assert len(queue) == 0


def test_queue_rejects_requests_while_it_is_full() -> None:
    queue = RequestQueue(3, 8, 0.0)
    queue.put(build_request("a", "b"))
    with pytest.raises(QueueFullError):
        queue.put(build_request("c", "d"))
    queue.put(build_request("c"))
    assert len(queue) == 3
    queue.get_batch()
    queue.put(build_request("d", "e", "f"))
    queue.close()
    with pytest.raises(MtlError, match="stopping"):
        queue.put(build_request("g"))


def test_batch_delay() -> None:
    for delay, expected_batch in ((0.0, ["a"]), (5.0, ["a", "b"])):
        queue = RequestQueue(10, 2, delay)
        queue.put(build_request("a"))
        timer = threading.Timer(0.05, lambda queue=queue: queue.put(build_request("b")))
        timer.start()
        start = time.monotonic()
        assert [text.prediction_input.text for text in queue.get_batch()] == expected_batch
        assert time.monotonic() - start < 3, "a full batch is returned immediately"
        timer.join()


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 3000), st.booleans(), st.sampled_from([None, "a", "b"])), min_size=1))
def test_batches_contain_similar_texts(descriptions: list[tuple[int, bool, str | None]]) -> None:
    texts = [
        QueuedText(build_request("x" * length, attention=attention, data_set=data_set), 0)
        for length, attention, data_set in descriptions
    ]
    batches = list(group_into_batches(texts))
    assert sorted(map(id, (text for batch in batches for text in batch))) == sorted(map(id, texts))
    for batch in batches:
        lengths = [len(text.prediction_input.text) for text in batch]
        assert len(lengths) * max(lengths) - sum(lengths) <= MAX_PADDING
        assert len({(text.request.attention, text.request.data_set) for text in batch}) == 1


def test_errors_are_per_text_and_stop_completes_accepted_requests() -> None:
    batches: list[list[str]] = []
    batch_sizes: list[int] = []

    def predict_batch(inputs: Sequence[PredictionInput], attention: bool, data_set: str | None) -> list[Prediction]:
        batches.append([prediction_input.text for prediction_input in inputs])
        if any(prediction_input.text == "bad" for prediction_input in inputs):
            raise ValueError("bad")
        return [Prediction(prediction_input.id, prediction_input.text, {}) for prediction_input in inputs]

    worker = Worker(predict_batch, RequestQueue(100, 8, 0.0), None, lambda texts, _: batch_sizes.append(texts))
    mixed_request, valid_request = build_request("one", "bad", "two"), build_request("three")
    worker.submit(mixed_request)
    worker.submit(valid_request)
    worker.start()
    worker.stop()
    results = mixed_request.future.result(0)
    assert isinstance(results[1], ValueError)
    assert [prediction.text for prediction in (results[0], results[2]) if isinstance(prediction, Prediction)] == [
        "one",
        "two",
    ]
    valid_prediction = valid_request.future.result(0)[0]
    assert isinstance(valid_prediction, Prediction)
    assert valid_prediction.text == "three"
    assert len(batches[0]) == 4, "the network received them in one batch"
    assert batch_sizes == [4]
    assert not worker.is_ready


def test_inputs_of_requests_name_no_files_of_the_server() -> None:
    def predict(inputs: Sequence[PredictionInput], attention: bool, data_set: str | None) -> list[Prediction]:
        check_local_files_allowed("the file itself")
        return []

    worker = Worker(predict, RequestQueue(100, 8, 0.0), None, lambda texts, seconds: None)
    request = build_request("/etc/passwd")
    worker.submit(request)
    worker.start()
    worker.stop()
    [error] = request.future.result(0)
    assert isinstance(error, MtlError)
    assert "expected the file itself" in str(error)
