"""The opinions of a review about each aspect, per sentence and aggregated over its sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from absa_plugin.rating.aspects import CONFLICT, NEGATIVE, NEUTRAL, POSITIVE
from absa_plugin.rating.plain_text import plain_text
from absa_plugin.rating.reviews import Review
from absa_plugin.rating.sentences import sentences_of

if TYPE_CHECKING:
    from mtl_core.runs.answers import Answer, TaskAnswer
    from mtl_core.runs.predict import Question

    Ask = Callable[[Iterable[Question]], Iterator[Answer]]
    """Predicts for a stream of inputs, in order."""

CHUNK = 256
"""Maximum number of reviews per chunk, whose sentences are predicted together."""
CHUNK_LETTERS = 500_000
"""Number of characters after which a chunk has fewer reviews."""


@dataclass(frozen=True)
class Shares:
    """The probability of each polarity; the four sum to 1."""

    positive: float
    negative: float
    neutral: float
    conflict: float

    @property
    def score(self) -> float:
        """The score from 0 (negative) to 1 (positive); neutral and conflict count one half."""
        return self.positive + (self.neutral + self.conflict) / 2


@dataclass(frozen=True)
class Said:
    """A sentence, and the probability that it mentions the aspect with the given polarity."""

    sentence: str
    sure: float


@dataclass(frozen=True)
class Opinion:
    """The opinion of a review about an aspect that it mentions.

    Attributes:
        shares: The mean over the sentences that mention the aspect, weighted by the probability of the mention.
        praise: The positive sentence with the highest confidence, or None.
        complaint: The negative sentence with the highest confidence, or None.
    """

    shares: Shares
    praise: Said | None
    complaint: Said | None


@dataclass(frozen=True)
class Heard:
    """A review, and its opinion about each aspect that it mentions."""

    review: Review
    opinions: Mapping[str, Opinion]


def hear(reviews: Iterable[Review], ask: Ask, aspects: Sequence[str]) -> Iterator[list[Heard]]:
    """Predict the opinions of reviews from their sentences.

    Args:
        reviews: A stream of any length.
        ask: Function that predicts for a stream of inputs, in order.
        aspects: The tasks that are aspects.

    Yields:
        Chunks of reviews, in order. The boundaries of the chunks depend only on the reviews.

    Raises:
        MtlError: If a text is invalid.
    """
    for chunk in _chunks(reviews):
        divided = [list(sentences_of(plain_text(review.text))) for review in chunk]
        answers = ask(_questions(chunk, divided))
        yield [
            Heard(review, opinions([next(answers) for _ in sentences], aspects))
            for review, sentences in zip(chunk, divided, strict=True)
        ]


def opinions(sentences: Sequence[Answer], aspects: Sequence[str]) -> dict[str, Opinion]:
    """Aggregate the predictions for a review's sentences into one opinion per mentioned aspect."""
    found = {}
    for aspect in aspects:
        mentions = [(one.text, one.tasks[aspect]) for one in sentences if one.tasks[aspect].found]
        if mentions:
            found[aspect] = _opinion(mentions)
    return found


def _opinion(mentions: Sequence[tuple[str, TaskAnswer]]) -> Opinion:
    weights = [answer.detection for _, answer in mentions]
    total = sum(weights)
    given = [answer.given_found() for _, answer in mentions]
    mean = {
        name: sum(weight * shares.get(name, 0.0) for weight, shares in zip(weights, given, strict=True)) / total
        for name in (POSITIVE, NEGATIVE, NEUTRAL, CONFLICT)
    }
    return Opinion(
        Shares(mean[POSITIVE], mean[NEGATIVE], mean[NEUTRAL], mean[CONFLICT]),
        _surest(mentions, POSITIVE),
        _surest(mentions, NEGATIVE),
    )


def _surest(mentions: Sequence[tuple[str, TaskAnswer]], polarity: str) -> Said | None:
    said = [Said(text, answer.probabilities[polarity]) for text, answer in mentions if answer.label == polarity]
    return max(said, key=lambda one: one.sure, default=None)


def _chunks(reviews: Iterable[Review]) -> Iterator[list[Review]]:
    chunk: list[Review] = []
    letters = 0
    for review in reviews:
        chunk.append(review)
        letters += len(review.text)
        if len(chunk) == CHUNK or letters >= CHUNK_LETTERS:
            yield chunk
            chunk, letters = [], 0
    if chunk:
        yield chunk


def _questions(chunk: Sequence[Review], divided: Sequence[Sequence[str]]) -> Iterator[Question]:
    from mtl_core.runs.predict import Question

    for review, sentences in zip(chunk, divided, strict=True):
        for number, sentence in enumerate(sentences, start=1):
            yield Question(str(number), sentence, f"{review.place}: sentence {number}")
