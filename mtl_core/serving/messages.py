"""What goes over the wire: models that check requests, and describe answers in the OpenAPI document."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from mtl_core.config.strict import StrictModel

OBJECT, STRING = "{object}", "{string}"
"""Marks of the two ways to give a text; they stand in the places of pydantic's errors, and are left out of ours."""


class Asked(StrictModel):
    """How the network is asked."""

    attention: bool = False
    """Also tell `tokens`, and for each task whose head has attention how much each of them counted."""
    only_found: bool = True
    """Leave out tasks of which the text does not speak, as `mtl predict` does."""
    data_set: str | None = None
    """Of a network that learned from several data sets: the one as whose texts these are read."""


class Question(Asked):
    """One text."""

    text: str
    """The text."""
    id: str | int | None = None
    """Comes back with the answer; "1" if left out."""


class NamedText(StrictModel):
    """A text with an id."""

    text: str
    """The text."""
    id: str | int | None = None
    """Comes back with the answer; the text's number, counted from 1, if left out."""


Text = Annotated[
    Annotated[str, Tag(STRING)] | Annotated[NamedText, Tag(OBJECT)],
    Discriminator(lambda value: STRING if isinstance(value, str) else OBJECT),
]


class Questions(Asked):
    """Several texts."""

    texts: list[Text] = Field(min_length=1)
    """The texts, as strings, or as objects with an `id`."""


class _Told(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class TaskSaid(_Told):
    """What one task says about a text."""

    label: Any
    """The predicted label: a class, a number, a list of classes; of tasks that label tokens, one each."""
    probabilities: dict[str, float]
    """Class to probability; empty for tasks without classes, and for those that label tokens."""
    confidence: list[float] | None = None
    """Of tasks that label tokens: the probability of each token's label."""
    attention: list[float] | None = None
    """How much each of `tokens` counted, in all 1: if asked for, and the task's head has attention."""


class Answer(_Told):
    """What the network says about a text: a line of `predictions.jsonl`, as `mtl predict --json` writes it."""

    id: str
    """The text's id."""
    text: str
    """The text."""
    tasks: dict[str, TaskSaid]
    """Task to what it says."""
    tokens: list[str] | None = None
    """The words as the network reads them, where something is said about each."""


class Mistake(_Told):
    """What is wrong."""

    where: str
    """The place: `body.texts[3].text`, `path`, …"""
    found: str
    """What was there."""
    expected: str
    """What should be; the nearest name, if a name was misspelt."""
    id: str | None = None
    """Of a failure of the server (status 500): under this id the log tells more."""


class Refusal(_Told):
    """Every answer that is none."""

    error: Mistake
    """What is wrong."""


class NotAnswered(_Told):
    """In the place of one text's answer."""

    id: str
    """The text's id."""
    error: Mistake
    """What is wrong with this text. The others are answered."""


class Answers(_Told):
    """The answers to several texts."""

    answers: list[Answer | NotAnswered]
    """One a text, in the order of the texts."""


class Health(_Told):
    """How the server is."""

    live: bool
    """The process runs."""
    ready: bool
    """The network takes questions."""
    waiting: int
    """Texts that wait for the network."""


class MetricTold(_Told):
    """A figure."""

    value: float | None
    """Null where it is undefined."""
    baseline: float | None
    """The same of a baseline that has seen no input."""
    n: int
    """Labels that it was measured on."""


class ClassTold(_Told):
    """How well one class was told."""

    name: str
    n: int
    """True labels of it."""
    recall: float | None
    """The share of them that were found."""
    precision: float | None
    """The share of its predictions that were right."""


class FiguresTold(_Told):
    """Figures of a task on one part of the data."""

    n: int
    """Labels that count."""
    metrics: dict[str, MetricTold]
    """Metric to its figure."""
    classes: list[ClassTold]
    """Empty where no confusion matrix was measured."""


class TaskTold(_Told):
    """A task."""

    name: str
    kind: str
    """What its labels are: `classification`, `regression`, …"""
    classes: list[str]
    """Empty for numbers."""
    labels: dict[str, dict[str, int]]
    """Part of the data to label to count."""
    figures: dict[str, FiguresTold]
    """Part of the data to figures."""


class ModelCard(_Told):
    """What the network is, and where it ends."""

    name: str
    """The experiment's name."""
    headline: str
    """How good it is, in a sentence."""
    notice: str
    """Something that must be said with every figure; may be empty."""
    use: list[str]
    """What it is for, and what not."""
    parameters: int
    seed: int
    tasks: list[TaskTold]
    data: dict[str, Any]
    """`examples` of each part; `findings`, what was noticed."""
    parts: dict[str, str]
    """What the network is made of, and how it was trained."""
    calibration: list[dict[str, Any]]
    """How far confidence and truth lay apart, before and after calibration; empty without."""
    limits: list[str]
    """What must not be expected."""
    licences: list[str]
    """What is to be minded about data and weights."""
    serving: dict[str, int | float]
    """The server's limits: `max_text` characters, `max_texts` of a request, `max_bytes`, `timeout` in seconds."""
