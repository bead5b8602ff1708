"""The texts of one request in the queue, and their results."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from mtl_core.runs.answers import Answer
from mtl_core.runs.predict import Question

Said = Answer | Exception
"""The result for a text: a prediction, or the exception that prevented it."""


class Ticket:
    """The texts of one request.

    Args:
        questions: The texts; at least one.
        attention: Whether to return tokens and attention weights.
        data_set: The data set whose loader reads the texts; the first if None.

    Attributes:
        future: The results, done when all texts are. If it is cancelled, texts that have not started are dropped.
    """

    def __init__(self, questions: Sequence[Question], attention: bool, data_set: str | None) -> None:
        self.questions = questions
        self.attention = attention
        self.data_set = data_set
        self.future: Future[list[Said]] = Future()
        self._said: list[Said | None] = [None] * len(questions)
        self._left = len(questions)

    @property
    def wanted(self) -> bool:
        """Whether the results are still needed."""
        return not self.future.done()

    def tell(self, place: int, said: Said) -> None:
        """Set the result of one text. Only one thread calls this, once per text."""
        self._said[place] = said
        self._left -= 1
        if not self._left and self.future.set_running_or_notify_cancel():
            self.future.set_result([one for one in self._said if one is not None])


@dataclass(frozen=True)
class Job:
    """One text of a request in the queue."""

    ticket: Ticket
    place: int

    @property
    def question(self) -> Question:
        """The text."""
        return self.ticket.questions[self.place]
