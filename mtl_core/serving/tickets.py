"""What was asked together: some texts, and a place for what is said about each."""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from mtl_core.runs.answers import Answer
from mtl_core.runs.predict import Question

Said = Answer | Exception
"""What comes back about a text: an answer, or what went wrong with it."""


class Ticket:
    """Some texts that were asked about together.

    Args:
        questions: The texts; at least one.
        attention: Whether tokens and attention weights are told.
        data_set: The data set as whose texts they are read; the first if None.

    Attributes:
        future: Is done when all texts are. Cancelled, what has not begun never does.
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
        """Whether somebody still waits for it."""
        return not self.future.done()

    def tell(self, place: int, said: Said) -> None:
        """Take in what is said about one of the texts. Called by one thread only, once a text."""
        self._said[place] = said
        self._left -= 1
        if not self._left and self.future.set_running_or_notify_cancel():
            self.future.set_result([one for one in self._said if one is not None])


@dataclass(frozen=True)
class Job:
    """One text of a ticket."""

    ticket: Ticket
    place: int

    @property
    def question(self) -> Question:
        """The text."""
        return self.ticket.questions[self.place]
