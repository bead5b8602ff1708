"""Schemas of the API: models that validate requests, and describe responses in the OpenAPI document."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from mtl_core.plugins.strict_model import StrictModel
from mtl_core.reporting.model_card.schema import ModelCard

OBJECT_TAG, STRING_TAG = "{object}", "{string}"
"""Tags of the two forms of a text. They occur in the locations of pydantic errors and are removed from messages."""


class PredictionOptions(StrictModel):
    """Options of a prediction."""

    attention: bool = False
    """Whether to return `tokens`, and their attention weights for each task whose head has attention."""
    omit_absent: bool = True
    """Whether to omit tasks that the text does not mention, as `mtl predict` does."""
    data_set: str | None = None
    """For networks with several data sets: the data set whose loader reads the texts."""


class PredictRequest(PredictionOptions):
    """A request for the prediction of one text, or of one row of cells."""

    text: str = ""
    """The text, if the network reads texts."""
    inputs: dict[str, Any] | None = None
    """Column: cell (null if it is missing), if the network reads rows of several columns. Images are data URLs."""
    id: str | int | None = None
    """The id of the prediction; "1" if left out."""


class TextWithId(StrictModel):
    """A text with an id."""

    text: str
    """The text."""
    id: str | int | None = None
    """The id of the prediction; the number of the text, counted from 1, if left out."""


class RowWithId(StrictModel):
    """A row of cells with an id."""

    inputs: dict[str, Any]
    """Column: cell; null if it is missing."""
    id: str | int | None = None
    """The id of the prediction; the number of the row, counted from 1, if left out."""


Text = Annotated[
    Annotated[str, Tag(STRING_TAG)] | Annotated[TextWithId, Tag(OBJECT_TAG)],
    Discriminator(lambda value: STRING_TAG if isinstance(value, str) else OBJECT_TAG),
]


class BatchPredictRequest(PredictionOptions):
    """A request for the predictions of several texts, or of several rows of cells."""

    texts: list[Text] = Field(default=[], min_length=1)
    """The texts, as strings, or as objects with an `id`."""
    rows: list[RowWithId] = Field(default=[], min_length=1)
    """The rows, if the network reads rows of several columns."""


class _ResponseModel(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class TaskPredictionResponse(_ResponseModel):
    """The prediction of one task for a text."""

    label: Any
    """The predicted label: a class, a number, or a list of classes; for token tasks, one label per token."""
    probabilities: dict[str, float]
    """Maps each class to its probability; empty for tasks without classes and for token tasks."""
    confidence: list[float] | None = None
    """For token tasks: the probability of each token's label."""
    attention: list[float] | None = None
    """The attention weights of `tokens`, which sum to 1; if requested and the task's head has attention."""


class PredictResponse(_ResponseModel):
    """The prediction of a text: a line of `predictions.jsonl`, as `mtl predict --json` writes it."""

    id: str
    """The text's id."""
    text: str
    """The text; for a row, its cells on one line."""
    inputs: dict[str, Any] | None = None
    """For a row: maps each input column to its cell."""
    tasks: dict[str, TaskPredictionResponse]
    """Maps each task to its prediction."""
    tokens: list[str] | None = None
    """The tokens of the text, if the response contains values per token."""


class ErrorDetail(_ResponseModel):
    """The details of an error."""

    location: str
    """The location of the error: `body.texts[3].text`, `path`, …"""
    actual: str
    """The invalid value."""
    expected: str
    """The expected value; the nearest valid name, if a name is misspelt."""
    id: str | None = None
    """For internal errors (status 500): the id of the entry in the server log."""


class ErrorResponse(_ResponseModel):
    """The response of every request that fails."""

    error: ErrorDetail
    """The details of the error."""


class TextErrorResponse(_ResponseModel):
    """The entry of a text that cannot be predicted."""

    id: str
    """The text's id."""
    error: ErrorDetail
    """The error of this text. The other texts are predicted."""


class BatchPredictResponse(_ResponseModel):
    """The predictions of several texts."""

    predictions: list[PredictResponse | TextErrorResponse]
    """One entry per text, in the order of the texts."""


class HealthResponse(_ResponseModel):
    """The status of the server."""

    live: bool
    """Whether the process runs."""
    ready: bool
    """Whether the server accepts requests."""
    queue_length: int
    """The number of texts in the queue."""


class ModelCardResponse(ModelCard):
    """The model card: intended use, data, metrics and limitations of the network."""

    serving: dict[str, int | float]
    """Limits of the server: `max_text` characters, `max_texts` per request, `max_bytes`, `timeout` in seconds."""
