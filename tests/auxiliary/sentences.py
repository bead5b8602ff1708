"""Sentences whose statistics are easy to count, and experiments on them."""

import csv
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import spacy
import yaml

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import load_experiment
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.prepare import prepare

Row = Sequence[str]
COLUMNS = ("split", "text", "mood", "topic")
ROWS: list[Row] = [
    ("train", "Good good soup", "positive", "food"),
    ("train", "bad soup", "negative", "food"),
    ("train", "good game tonight", "positive", "sport"),
    ("train", "bad bad game again .", "negative", "sport"),
    ("train", "the game", "neutral", "sport"),
    ("validation", "new good tea", "positive", "travel"),
    ("validation", "bad game", "negative", "sport"),
    ("test", "BAD New new", "negative", "music"),
]
"""Training: good 3, bad 3, game 3, soup 2, tonight 1, again 1, the 1, and a full stop."""
MOOD = {"name": "mood", "kind": "classification", "head": "linear"}
TAGS = {
    "NOUN": ("soup", "game", "tea"),
    "ADJ": ("good", "bad", "new"),
    "ADV": ("tonight", "again"),
    "DET": ("the",),
    "PUNCT": (".",),
}
OPTIONS_BY_TYPE: dict[str, dict[str, Any]] = {
    "word-frequency": {},
    "part-of-speech": {"pipeline": "pipeline"},
    "sentence-length": {"bins": 2},
    "opinion-words": {"min_count": 1, "min_score": 0.0, "max_df": 1.0},
    "aspect-presence": {"missing": "absent", "absent_labels": ["negative"]},
    "adversarial": {"label": "topic"},
    "auxiliary-target": {"label": "topic"},
    "masked-tokens": {"mask_ratio": 0.4},
    "bag-of-words": {},
    "reconstruction": {},
}
"""Every type of auxiliary task, with the options that it needs on the sentences."""


def build_many_rows() -> list[Row]:
    """Return sentences from which moods and topics can be learned: 48 for training, 12 for each other split."""
    moods = {"positive": ("good", "lovely", "fine"), "negative": ("bad", "grim", "poor")}
    topics = {"food": ("soup", "tea"), "sport": ("game", "match"), "travel": ("train", "hotel")}
    rows = [
        (f"The {thing} was {word} {ending} .", mood, topic)
        for ending in ("tonight", "again at last")
        for mood, words in moods.items()
        for word in words
        for topic, things in topics.items()
        for thing in things
    ]
    split_names = ["train", "train", "train", "train", "validation", "test"]
    return [(split_names[(index + index // 6) % 6], *row) for index, row in enumerate(rows)]


def write_rows(folder: Path, rows: Sequence[Row], columns: Sequence[str] = COLUMNS) -> Path:
    """Write a CSV table."""
    path = folder / "data.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


@cache
def _save_tagger() -> TemporaryDirectory[str]:
    """Save a spaCy pipeline that tags the words of `TAGS`: coarse tags, and lower-case fine tags."""
    folder = TemporaryDirectory()
    nlp = spacy.blank("en")
    ruler = nlp.add_pipe("attribute_ruler")
    for tag, words in TAGS.items():
        ruler.add([[{"LOWER": word}] for word in words], {"POS": tag, "TAG": tag.lower()})
    nlp.to_disk(folder.name)
    return folder


def build_block(name: str, **keys: Any) -> dict[str, Any]:
    """Return the config block of a type with its required options."""
    options = {"type": name, **OPTIONS_BY_TYPE[name], **keys}
    return {**options, "pipeline": _save_tagger().name} if "pipeline" in options else options


def write_experiment(folder: Path, auxiliary: Sequence[Mapping[str, Any]], **blocks: Any) -> Path:
    """Write an experiment on `data.csv`, which is created if it is missing; every block can be replaced."""
    if not (folder / "data.csv").exists():
        write_rows(folder, ROWS)
    content = {
        "name": "small",
        "seed": 1,
        "data": {
            "type": "table",
            "train": "data.csv",
            "split": "split",
            "text": "text",
            "labels": ["mood", "topic"],
        },
        "split": "predefined",
        "encoder": {"type": "embedding", "dimensions": 6},
        "backbone": {"type": "lstm", "hidden_dim": 5, "output": "tokens", "dropout": 0.2},
        "tasks": [MOOD],
        "auxiliary": [dict(task_block) for task_block in auxiliary],
        "optimizer": {"type": "adam", "lr": 0.01},
        "training": {"epochs": 2, "batch_size": 8},
        **blocks,
    }
    path = folder / "small.yaml"
    path.write_text(yaml.safe_dump({key: block for key, block in content.items() if block is not None}))
    return path


def load_config(folder: Path, auxiliary: Sequence[Mapping[str, Any]], **blocks: Any) -> ExperimentConfig:
    """Write and load an experiment."""
    return load_experiment(write_experiment(folder, auxiliary, **blocks)).config


def prepare_data(folder: Path, *auxiliary: Mapping[str, Any], **blocks: Any) -> FittedData:
    """Write, load and prepare an experiment."""
    return prepare(load_config(folder, auxiliary, **blocks))


def build_labels(folder: Path, *auxiliary: Mapping[str, Any], **blocks: Any) -> dict[str, list[Any]]:
    """Return the labels of the auxiliary tasks."""
    data = prepare_data(folder, *auxiliary, **blocks)
    return {task.name: list(data.labels[task.name]) for task in data.tasks if task.auxiliary_spec}
