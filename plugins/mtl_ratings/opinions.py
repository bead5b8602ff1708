"""The opinions of a review about each aspect, per sentence and aggregated over its sentences."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtl_ratings.aspects import CONFLICT, NEGATIVE, NEUTRAL, POSITIVE
from mtl_ratings.reviews import Review
from mtl_ratings.sentences import split_sentences, strip_html

if TYPE_CHECKING:
    from mtl_core.runs import Prediction, PredictionInput, TaskPrediction

    Predictor = Callable[[Iterable[PredictionInput]], Iterator[Prediction]]
    """Predicts for a stream of inputs, in order."""

CHUNK_SIZE = 256
"""Maximum number of reviews per chunk, whose sentences are predicted together."""
CHUNK_CHARACTERS = 500_000
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
class ScoredSentence:
    """A sentence, and the probability that it mentions the aspect with the given polarity."""

    sentence: str
    confidence: float


@dataclass(frozen=True)
class Opinion:
    """The opinion of a review about an aspect that it mentions.

    Attributes:
        shares: The mean over the sentences that mention the aspect, weighted by the probability of the mention.
        praise: The positive sentence with the highest confidence, or None.
        complaint: The negative sentence with the highest confidence, or None.
    """

    shares: Shares
    praise: ScoredSentence | None
    complaint: ScoredSentence | None


@dataclass(frozen=True)
class ReviewOpinions:
    """A review, and its opinion about each aspect that it mentions."""

    review: Review
    opinions: Mapping[str, Opinion]


def extract_opinions(
    reviews: Iterable[Review], predict: Predictor, aspects: Sequence[str]
) -> Iterator[list[ReviewOpinions]]:
    """Predict the opinions of reviews from their sentences.

    Args:
        reviews: A stream of any length.
        predict: Function that predicts for a stream of inputs, in order.
        aspects: The tasks that are aspects.

    Yields:
        Chunks of reviews, in order. The boundaries of the chunks depend only on the reviews.

    Raises:
        MtlError: If a text is invalid.
    """
    for chunk in _split_chunks(reviews):
        sentences_per_review = [list(split_sentences(strip_html(review.text))) for review in chunk]
        predictions = predict(_build_inputs(chunk, sentences_per_review))
        yield [
            ReviewOpinions(review, aggregate_opinions([next(predictions) for _ in sentences], aspects))
            for review, sentences in zip(chunk, sentences_per_review, strict=True)
        ]


def aggregate_opinions(predictions: Sequence[Prediction], aspects: Sequence[str]) -> dict[str, Opinion]:
    """Aggregate the predictions for a review's sentences into one opinion per mentioned aspect."""
    opinions_by_aspect = {}
    for aspect in aspects:
        mentions = [
            (prediction.text, prediction.tasks[aspect])
            for prediction in predictions
            if prediction.tasks[aspect].is_present
        ]
        if mentions:
            opinions_by_aspect[aspect] = _average_mentions(mentions)
    return opinions_by_aspect


def _average_mentions(mentions: Sequence[tuple[str, TaskPrediction]]) -> Opinion:
    weights = [prediction.detection for _, prediction in mentions]
    total = sum(weights)
    conditional_probabilities = [prediction.compute_present_probabilities() for _, prediction in mentions]
    mean = {
        name: sum(
            weight * shares.get(name, 0.0) for weight, shares in zip(weights, conditional_probabilities, strict=True)
        )
        / total
        for name in (POSITIVE, NEGATIVE, NEUTRAL, CONFLICT)
    }
    return Opinion(
        Shares(mean[POSITIVE], mean[NEGATIVE], mean[NEUTRAL], mean[CONFLICT]),
        _find_most_confident(mentions, POSITIVE),
        _find_most_confident(mentions, NEGATIVE),
    )


def _find_most_confident(mentions: Sequence[tuple[str, TaskPrediction]], polarity: str) -> ScoredSentence | None:
    candidates = [
        ScoredSentence(text, prediction.probabilities[polarity])
        for text, prediction in mentions
        if prediction.label == polarity
    ]
    return max(candidates, key=lambda candidate: candidate.confidence, default=None)


def _split_chunks(reviews: Iterable[Review]) -> Iterator[list[Review]]:
    chunk: list[Review] = []
    n_characters = 0
    for review in reviews:
        chunk.append(review)
        n_characters += len(review.text)
        if len(chunk) == CHUNK_SIZE or n_characters >= CHUNK_CHARACTERS:
            yield chunk
            chunk, n_characters = [], 0
    if chunk:
        yield chunk


def _build_inputs(chunk: Sequence[Review], sentences_per_review: Sequence[Sequence[str]]) -> Iterator[PredictionInput]:
    from mtl_core.runs import PredictionInput

    for review, sentences in zip(chunk, sentences_per_review, strict=True):
        for number, sentence in enumerate(sentences, start=1):
            yield PredictionInput(str(number), sentence, f"{review.location}: sentence {number}")
