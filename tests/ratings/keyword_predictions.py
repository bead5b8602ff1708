"""A stand-in for a network in rating tests: keywords select the aspect and its polarity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mtl_core.nn.task_kind import LabelPrediction
from mtl_core.runs.prediction import Prediction, TaskPrediction
from mtl_core.runs.prediction_inputs import PredictionInput
from mtl_ratings.pipeline import run_pipeline
from mtl_ratings.ratings import Ratings
from mtl_ratings.reviews import Review
from mtl_ratings.settings import Settings

if TYPE_CHECKING:
    from mtl_ratings.opinions import Predictor

ASPECTS = ("food", "service")
POLARITY_BY_KEYWORD = {"good": "positive", "bad": "negative", "so-so": "neutral", "mixed": "conflict"}


def build_task_prediction(detection: float, **shares: float) -> TaskPrediction:
    """Return a prediction with these class probabilities, given that the aspect is mentioned."""
    class_shares = {name: shares.get(name, 0.0) for name in ("positive", "negative", "neutral", "conflict")}
    probabilities = {name: detection * share for name, share in class_shares.items()} | {"absent": 1 - detection}
    label = max(class_shares, key=lambda name: class_shares[name]) if detection >= 0.5 else "absent"
    return TaskPrediction([LabelPrediction(label, probabilities)], absent_label="absent")


def predict_text(prediction_input: PredictionInput) -> Prediction:
    """Predict by keywords, such as "good food, bad service"; the confidence grows with the length of the text."""
    tasks: dict[str, TaskPrediction] = {}
    for aspect in ASPECTS:
        match = re.search(rf"(good|bad|so-so|mixed) {aspect}", prediction_input.text.lower())
        confidence = 1 - 1 / (2 + len(prediction_input.text))
        tasks[aspect] = (
            build_task_prediction(confidence, **{POLARITY_BY_KEYWORD[match[1]]: 1.0})
            if match
            else build_task_prediction(0.01, neutral=1.0)
        )
    return Prediction(prediction_input.id, prediction_input.text, tasks)


def predict_texts(inputs: Iterable[PredictionInput]) -> Iterator[Prediction]:
    """Predict for a stream of inputs."""
    return map(predict_text, inputs)


def rate_reviews_by_keywords(
    reviews: Iterable[Review], settings: Settings | None = None, predict: Predictor = predict_texts
) -> Ratings:
    """Rate reviews with the keyword predictions."""
    return run_pipeline(reviews, predict, ASPECTS, settings or Settings())


def build_reviews(texts_by_product: Mapping[str, Sequence[str]]) -> list[Review]:
    """Convert a mapping from product to texts into reviews, one line per review."""
    pairs = [(product, text) for product, texts in texts_by_product.items() for text in texts]
    return [Review(text, product, None, f"r.csv:{n}", f"line {n}") for n, (product, text) in enumerate(pairs, start=2)]
