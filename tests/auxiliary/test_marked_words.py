"""Labels of annotated spans of words."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from absa_plugin.spacy_encoder import SpacyEncoder
from mtl_auxiliary.marked_words import MarkedWords
from mtl_core import Corpus
from mtl_core.data.auxiliary import AuxiliaryData, AuxiliaryTask
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


def made(marks: Sequence[Sequence[Span] | None] = SPANS, **keys: Any) -> AuxiliaryTask:
    corpus = Corpus(
        ids=[str(row) for row in range(len(TEXTS))],
        inputs=list(TEXTS),
        labels={"mood": ["x"] * len(TEXTS)},
        parts=["train"] * (len(TEXTS) - 1) + ["test"],
        spans={"terms": marks},
    )
    encoder = SpacyEncoder(dimensions=4).build()
    parsed = encoder.parse(list(corpus.inputs))
    encoder.fit(parsed)
    data = AuxiliaryData(corpus, dict(corpus.labels), encoder, parsed, np.arange(len(TEXTS) - 1))
    [task] = MarkedWords(**{"spans": "terms", **keys}).tasks(data)
    return task


def test_words_are_tagged_where_they_stand() -> None:
    out = "outside"
    assert made().labels == [
        [out, "good", "good", out, out, out],
        [out, out],
        None,
        [None, out, "bad"],
        [None],  # training has no mark of this name
    ]


def test_the_name_of_what_is_not_marked_can_be_chosen() -> None:
    task = made(outside="O")
    assert task.labels[1] == ["O", "O"]
    assert task.kind.classes == ["bad", "good", "O"]  # type: ignore[attr-defined]


def test_marks_that_are_not_there_are_refused() -> None:
    with pytest.raises(MtlError, match="the data has no span annotations 'term'; did you mean 'terms'"):
        _named("term")
    with pytest.raises(MtlError, match="no training text has a span of 'terms'"):
        made([[], [], None, [], [Span(0, 3, "new")]])


def _named(name: str) -> AuxiliaryTask:
    corpus = Corpus(ids=["1"], inputs=["Tea"], labels={}, parts=["train"], spans={"terms": [[]]})
    encoder = SpacyEncoder(dimensions=4).build()
    parsed = encoder.parse(["Tea"])
    [task] = MarkedWords(spans=name).tasks(AuxiliaryData(corpus, {}, encoder, parsed, np.arange(1)))
    return task
