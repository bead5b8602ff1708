"""Identical inputs on both sides of a split that the data defines."""

import html
from array import array
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy import toy_config

from mtl_core.artifacts.json_files import read_json
from mtl_core.builtins.splitters.predefined import Predefined
from mtl_core.data.columns import RowNumbers
from mtl_core.data.corpus import Corpus, SplitName
from mtl_core.data.split_overlap import describe_overlap
from mtl_core.data.splitting import split_corpus
from mtl_core.errors import MtlError
from mtl_core.reporting import write_report
from mtl_core.runs.run import run_experiment

HEADER = "id,split,x,y,label\n"


def build_corpus(rows: Sequence[tuple[str, SplitName, str]]) -> Corpus:
    """Return a corpus of rows of id, split and text."""
    return Corpus(
        ids=[name for name, _, _ in rows],
        inputs=[text for _, _, text in rows],
        labels={"t": ["a", "b"] * (len(rows) // 2) + ["a"] * (len(rows) % 2)},
        splits=[split_name for _, split_name, _ in rows],
    )


def find_warnings(corpus: Corpus) -> list[str]:
    usable = np.ones(len(corpus), dtype=bool)
    return describe_overlap(corpus, split_corpus(corpus, usable, corpus.labels, Predefined(), 0))


ROWS: list[tuple[str, SplitName, str]] = [
    ("a1", "train", "fine soup"),
    ("a2", "train", "slow waiter"),
    ("v1", "validation", "Slow  WAITER"),
    ("v2", "validation", "cold tea"),
    ("v3", "validation", "fine soup"),
    ("s1", "test", "loud music"),
    ("s2", "test", "cold tea"),
    ("s3", "test", "slow waiter"),
]
EXPECTED = [
    "validation: 2 examples have the same input as training examples, so scores are optimistic "
    "(such as 'v1' in validation and 'a2' in training)",
    "test: 2 examples have the same input as training or validation examples, so scores are optimistic "
    "(such as 's3' in test and 'a2' in training)",
]


def test_overlap_is_reported_with_a_pair_of_ids() -> None:
    assert find_warnings(build_corpus(ROWS)) == EXPECTED
    assert find_warnings(build_corpus([*ROWS[:2], ("v2", "validation", "cold tea"), ROWS[5]])) == []


def test_hashes_of_large_tables_have_the_same_warnings() -> None:
    corpus = build_corpus(ROWS)
    hashes = array("q", [hash(key) for key in corpus.groups])
    assert find_warnings(replace(corpus, groups=hashes)) == EXPECTED


def test_example_in_two_splits_is_refused() -> None:
    corpus = build_corpus([*ROWS[:2], ("a2", "validation", "slow waiter")])
    with pytest.raises(
        MtlError, match=r"example a2: the example 'a2' is in two splits, training \(example a2\) and validation"
    ):
        find_warnings(corpus)


def test_ids_that_are_numbered_per_file_are_accepted() -> None:
    """Two files may number their rows separately: an equal id alone is no sign of the same example."""
    assert find_warnings(build_corpus([("1", "train", "fine soup"), ("1", "test", "cold tea")])) == []
    corpus = build_corpus([("1", "train", "fine soup"), ("1", "test", "fine soup")])
    assert len(find_warnings(replace(corpus, ids=RowNumbers(1, 0, 1)))) == 1


def write_table(path: Path, rows: str) -> dict[str, Any]:
    path.write_text(HEADER + rows, encoding="utf-8")
    return {"type": "table", "train": str(path), "id": "id", "split": "split", "numbers": ["x", "y"], "labels": "*"}


def test_run_reports_the_overlap(tmp_path: Path) -> None:
    lines = [f"a{row},train,{row},1,{'ab'[row % 2]}\n" for row in range(12)]
    data = write_table(tmp_path / "table.csv", "".join([*lines, "v1,validation,3,1,b\n", "v2,validation,99,1,a\n"]))
    data["labels"] = ["label"]
    config = toy_config(
        tmp_path, data=data, split="predefined", tasks=[{"name": "label", "head": "linear"}], training={"epochs": 1}
    )
    run = run_experiment(config, tmp_path / "run").path
    warning = (
        "validation: 1 example has the same input as training examples, so scores are optimistic "
        "(such as 'v1' in validation and 'a3' in training)"
    )
    assert read_json(run / "metrics.json")["data"]["warnings"] == [warning]
    assert warning in (run / "MODEL_CARD.md").read_text(encoding="utf-8")
    write_report(run)
    assert warning in html.unescape((run / "report.html").read_text(encoding="utf-8"))
