"""The request queue, and how its texts are grouped into batches."""

import threading
import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_core.errors import MtlError
from mtl_core.runs.answers import Answer
from mtl_core.runs.predict import Question
from mtl_core.serving.tickets import Job, Ticket
from mtl_core.serving.waiting import NoRoomError, Waiting
from mtl_core.serving.worker import PADDING, Worker, alike


def ticket(*texts: str, attention: bool = False, data_set: str | None = None) -> Ticket:
    return Ticket([Question(text, text, "a test") for text in texts], attention, data_set)


def taken(waiting: Waiting) -> list[list[str]]:
    """Return all batches until the queue is empty."""
    waiting.close()
    batches = []
    while jobs := waiting.take():
        batches.append([job.question.text for job in jobs])
    return batches


@settings(max_examples=50)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=6), st.integers(1, 5))
def test_every_text_is_taken_once_and_in_its_tickets_order(sizes: list[int], batch_size: int) -> None:
    waiting = Waiting(100, batch_size, 0.0)
    for number, size in enumerate(sizes):
        waiting.put(ticket(*(f"{number}-{place}" for place in range(size))))
    batches = taken(waiting)
    assert all(1 <= len(batch) <= batch_size for batch in batches)
    assert all(len(batch) == batch_size for batch in batches[:-1]), "a batch is full while texts are queued"
    flat = [text for batch in batches for text in batch]
    for number, size in enumerate(sizes):
        own = [text for text in flat if text.startswith(f"{number}-")]
        assert own == [f"{number}-{place}" for place in range(size)]
    assert len(flat) == sum(sizes)
    assert len(waiting) == 0


def test_a_long_ticket_does_not_keep_a_short_one_waiting() -> None:
    waiting = Waiting(1000, 4, 0.0)
    waiting.put(ticket(*(f"long {place}" for place in range(500))))
    waiting.put(ticket("short"))
    assert "short" in [job.question.text for job in waiting.take()]


def test_what_nobody_wants_any_more_is_dropped() -> None:
    waiting = Waiting(10, 2, 0.0)
    gone, left = ticket("a", "b", "c"), ticket("d")
    waiting.put(gone)
    waiting.put(left)
    assert gone.future.cancel()
    assert taken(waiting) == [["d"]]
    assert len(waiting) == 0


def test_there_is_room_for_so_many_and_then_again() -> None:
    waiting = Waiting(3, 8, 0.0)
    waiting.put(ticket("a", "b"))
    with pytest.raises(NoRoomError):
        waiting.put(ticket("c", "d"))
    waiting.put(ticket("c"))
    assert len(waiting) == 3
    waiting.take()
    waiting.put(ticket("d", "e", "f"))
    waiting.close()
    with pytest.raises(MtlError, match="stopping"):
        waiting.put(ticket("g"))


def test_a_text_waits_for_company_only_if_it_is_told_to() -> None:
    for wait, together in ((0.0, ["a"]), (5.0, ["a", "b"])):
        waiting = Waiting(10, 2, wait)
        waiting.put(ticket("a"))
        later = threading.Timer(0.05, lambda waiting=waiting: waiting.put(ticket("b")))
        later.start()
        start = time.monotonic()
        assert [job.question.text for job in waiting.take()] == together
        assert time.monotonic() - start < 3, "a full batch is returned immediately"
        later.join()


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 3000), st.booleans(), st.sampled_from([None, "a", "b"])), min_size=1))
def test_batches_are_of_like_texts(asked: list[tuple[int, bool, str | None]]) -> None:
    jobs = [Job(ticket("x" * length, attention=told, data_set=name), 0) for length, told, name in asked]
    lots = list(alike(jobs))
    assert sorted(map(id, (job for lot in lots for job in lot))) == sorted(map(id, jobs))
    for lot in lots:
        lengths = [len(job.question.text) for job in lot]
        assert len(lengths) * max(lengths) - sum(lengths) <= PADDING
        assert len({(job.ticket.attention, job.ticket.data_set) for job in lot}) == 1


def test_one_texts_error_is_its_own_and_an_end_answers_what_was_taken() -> None:
    asked: list[list[str]] = []
    seen: list[int] = []

    def ask(questions: Sequence[Question], attention: bool, data_set: str | None) -> list[Answer]:
        asked.append([one.text for one in questions])
        if any(one.text == "bad" for one in questions):
            raise ValueError("bad")
        return [Answer(one.id, one.text, {}) for one in questions]

    worker = Worker(ask, Waiting(100, 8, 0.0), None, lambda texts, _: seen.append(texts))
    ours, theirs = ticket("one", "bad", "two"), ticket("three")
    worker.take(ours)
    worker.take(theirs)
    worker.start()
    worker.stop()
    said = ours.future.result(0)
    assert isinstance(said[1], ValueError)
    assert [one.text for one in (said[0], said[2]) if isinstance(one, Answer)] == ["one", "two"]
    answer = theirs.future.result(0)[0]
    assert isinstance(answer, Answer)
    assert answer.text == "three"
    assert len(asked[0]) == 4, "the network received them in one batch"
    assert seen == [4]
    assert not worker.ready
