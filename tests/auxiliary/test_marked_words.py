"""Labels of annotated spans of words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from absa_plugin.spacy_encoder import SpacyEncoder
from mtl_auxiliary.marked_words import MarkedWords
from mtl_core import Corpus
from mtl_core.data.auxiliary_data import AuxiliaryData, AuxiliaryTask
from mtl_core.data.corpus import Span
from mtl_core.errors import MtlError

TEXTS = ["The pasta dishes, oh!", "Nothing here", "Nobody looked", "Odd  pasta pasta", "Tea"]
SPANS: list[Sequence[Span] | None] = [
    [Span(4, 16, "good")],
    [],
    None,
    [Span(11, 16, "bad"), Span(0, 3, None)],
    [Span(0, 3, "new")],
]


def build_task(marks: Sequence[Sequence[Span] | None] = SPANS, **keys: Any) -> AuxiliaryTask:
    corpus = Corpus(
        ids=[str(row) for row in range(len(TEXTS))],
        inputs=list(TEXTS),
        labels={"mood": ["x"] * len(TEXTS)},
        splits=["train" if row < len(TEXTS) - 1 else "test" for row in range(len(TEXTS))],
        spans={"terms": marks},
    )
    encoder = SpacyEncoder(dimensions=4).build()
    parsed = encoder.parse(list(corpus.inputs))
    encoder.fit(parsed)
    data = AuxiliaryData(corpus, dict(corpus.labels), encoder, parsed, np.arange(len(TEXTS) - 1))
    [task] = MarkedWords(**{"spans": "terms", **keys}).build_tasks(data)
    return task


def test_marked_words_are_tagged() -> None:
    out = "outside"
    assert build_task().labels == [
        [out, "good", "good", out, out, out],
        [out, out],
        None,
        [None, out, "bad"],
        [None],  # training has no mark of this name
    ]


def test_label_of_unmarked_words_can_be_configured() -> None:
    task = build_task(outside="O")
    assert task.labels[1] == ["O", "O"]
    assert task.kind.classes == ["bad", "good", "O"]  # type: ignore[attr-defined]


def test_missing_marks_are_rejected() -> None:
    with pytest.raises(MtlError, match="the data has no span annotations 'term'; did you mean 'terms'"):
        _build_task_of_marks("term")
    with pytest.raises(MtlError, match="no training text has a span of 'terms'"):
        build_task([[], [], None, [], [Span(0, 3, "new")]])


def _build_task_of_marks(name: str) -> AuxiliaryTask:
    corpus = Corpus(ids=["1"], inputs=["Tea"], labels={}, splits=["train"], spans={"terms": [[]]})
    encoder = SpacyEncoder(dimensions=4).build()
    parsed = encoder.parse(["Tea"])
    [task] = MarkedWords(spans=name).build_tasks(AuxiliaryData(corpus, {}, encoder, parsed, np.arange(1)))
    return task
