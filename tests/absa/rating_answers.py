"""A stand-in for a network in rating tests: keywords select the aspect and its polarity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from absa_plugin.rating.rate import add_up
from absa_plugin.rating.ratings import Ratings, ratings_of
from absa_plugin.rating.reviews import Review
from absa_plugin.rating.settings import Settings
from absa_plugin.rating.sums import Sums
from mtl_core.runs.answers import Answer, TaskAnswer
from mtl_core.runs.predict import Question
from mtl_core.training.kinds import Prediction

if TYPE_CHECKING:
    from absa_plugin.rating.opinions import Ask

ASPECTS = ("food", "service")
JUDGES = {"good": "positive", "bad": "negative", "so-so": "neutral", "mixed": "conflict"}


def task_answer(detection: float, **shares: float) -> TaskAnswer:
    """Return a prediction with these class probabilities, given that the aspect is mentioned."""
    given = {name: shares.get(name, 0.0) for name in ("positive", "negative", "neutral", "conflict")}
    probabilities = {name: detection * share for name, share in given.items()} | {"absent": 1 - detection}
    label = max(given, key=lambda name: given[name]) if detection >= 0.5 else "absent"
    return TaskAnswer([Prediction(label, probabilities)], nothing="absent")


def answer(question: Question) -> Answer:
    """Predict by keywords, such as "good food, bad service"; the confidence grows with the length of the text."""
    tasks: dict[str, TaskAnswer] = {}
    for aspect in ASPECTS:
        found = re.search(rf"(good|bad|so-so|mixed) {aspect}", question.text.lower())
        sure = 1 - 1 / (2 + len(question.text))
        tasks[aspect] = task_answer(sure, **{JUDGES[found[1]]: 1.0}) if found else task_answer(0.01, neutral=1.0)
    return Answer(question.id, question.text, tasks)


def ask(questions: Iterable[Question]) -> Iterator[Answer]:
    """Predict for a stream of inputs."""
    return map(answer, questions)


def rated(reviews: Iterable[Review], settings: Settings | None = None, by: Ask = ask) -> Ratings:
    """Rate reviews with the keyword predictions."""
    settings = settings or Settings()
    return ratings_of(add_up(reviews, by, ASPECTS, Sums(settings.quotes)), ASPECTS, settings)


def reviews_of(counts: Mapping[str, Sequence[str]]) -> list[Review]:
    """Convert a mapping from product to texts into reviews, one line per review."""
    pairs = [(product, text) for product, texts in counts.items() for text in texts]
    return [
        Review(text, product, None, f"r.csv:{n}", f"line {n}") for n, (product, text) in enumerate(pairs, start=2)
    ]
