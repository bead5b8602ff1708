"""Training examples without main-task labels: auxiliary tasks learn from them; main batches do not change."""

from pathlib import Path

import numpy as np
from sentences import block, config, many_rows, prepared, write_rows

from mtl_core.runs.prepare import prepare
from mtl_core.runs.run import run_experiment
from mtl_core.training.order import training_order

BARE = 12
ROWS = many_rows()


def _some_bare(folder: Path) -> None:
    """Write the rows without the main label of the first training rows."""
    left, rows = BARE, []
    for part, text, mood, topic in ROWS:
        bare = part == "train" and left > 0
        left -= bare
        rows.append((part, text, "" if bare else mood, topic))
    write_rows(folder, rows)


def _batches(folder: Path, *auxiliary: dict[str, object]) -> list[list[list[int]]]:
    found = config(folder, auxiliary)
    ready = prepare(found)
    order = training_order(found, ready.corpus, ready.split, ready.examples.lengths)
    return [[rows.tolist() for rows in order.epoch(epoch)] for epoch in range(3)]


def test_without_auxiliary_tasks_they_are_set_aside(tmp_path: Path) -> None:
    _some_bare(tmp_path)
    found = prepared(tmp_path)
    assert not len(found.split.helping)
    told = f"{BARE} training examples have no label for any task and are set aside"
    assert any(finding.startswith(told) for finding in found.findings)


def test_they_are_visited_if_an_auxiliary_task_has_something_to_say_about_them(tmp_path: Path) -> None:
    _some_bare(tmp_path)
    found = prepared(tmp_path, block("sentence-length"))
    assert len(found.split.helping) == BARE
    assert not np.intersect1d(found.split.helping, found.split.train).size
    told = f"{BARE} training examples have no label for any main task"
    assert any(finding.startswith(told) for finding in found.findings)
    visited = sorted(row for rows in _batches(tmp_path, block("sentence-length"))[0] for row in rows)
    assert visited == sorted(found.split.learned_from.tolist())


def test_a_task_that_is_silent_about_them_leaves_them_aside(tmp_path: Path) -> None:
    """At weight 0, no auxiliary task has labels."""
    _some_bare(tmp_path)
    assert not len(prepared(tmp_path, block("sentence-length", weight=0)).split.helping)


def test_main_tasks_learn_from_the_same_batches_with_and_without_them(tmp_path: Path) -> None:
    _some_bare(tmp_path)
    without = _batches(tmp_path)
    helping = set(prepared(tmp_path, block("sentence-length")).split.helping.tolist())
    for epoch, batches in enumerate(_batches(tmp_path, block("sentence-length"))):
        assert [rows for rows in batches if not helping & set(rows)] == without[epoch]
        assert all(set(rows) <= helping for rows in batches if helping & set(rows))


def test_what_stands_in_validation_or_test_data_is_not_used(tmp_path: Path) -> None:
    _some_bare(tmp_path)
    held = next(text for part, text, *_ in ROWS if part == "validation")
    first = next(place for place, row in enumerate(ROWS) if row[0] == "train")
    rows = [("train", held, "", topic) if place == first else (part, text, mood, topic)
            for place, (part, text, mood, topic) in enumerate(ROWS)]  # fmt: skip
    write_rows(tmp_path, rows)
    assert not len(prepared(tmp_path, block("sentence-length")).split.helping)


def test_a_run_with_them_reports_and_repeats(tmp_path: Path) -> None:
    _some_bare(tmp_path)
    found = config(tmp_path, [block("masked-tokens")])
    weights = []
    for name in ("one", "two"):
        report = run_experiment(found, tmp_path / name)
        assert len(report.prepared.split.helping) == BARE
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
