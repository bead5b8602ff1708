"""Training examples without main-task labels: auxiliary tasks learn from them; main batches do not change."""

from pathlib import Path

import numpy as np
from sentences import build_block, build_many_rows, load_config, prepare_data, write_rows

from mtl_core.data.prepare import prepare
from mtl_core.runs.run import run_experiment
from mtl_core.training.batch_sampler import build_batch_sampler

N_UNLABELLED = 12
ROWS = build_many_rows()


def _write_unlabelled_rows(folder: Path) -> None:
    """Write the rows without the main label of the first training rows."""
    remaining, rows = N_UNLABELLED, []
    for part, text, mood, topic in ROWS:
        is_unlabelled = part == "train" and remaining > 0
        remaining -= is_unlabelled
        rows.append((part, text, "" if is_unlabelled else mood, topic))
    write_rows(folder, rows)


def _build_batches(folder: Path, *auxiliary: dict[str, object]) -> list[list[list[int]]]:
    loaded_config = load_config(folder, auxiliary)
    data = prepare(loaded_config)
    sampler = build_batch_sampler(loaded_config, data.corpus, data.split, data.examples.lengths)
    return [[rows.tolist() for rows in sampler.get_batches(epoch)] for epoch in range(3)]


def test_without_auxiliary_tasks_unlabelled_examples_are_skipped(tmp_path: Path) -> None:
    _write_unlabelled_rows(tmp_path)
    data = prepare_data(tmp_path)
    assert not len(data.split.auxiliary_only)
    message = f"{N_UNLABELLED} training examples have no label for any task and are set aside"
    assert any(finding.startswith(message) for finding in data.warnings)


def test_unlabelled_examples_are_visited_if_an_auxiliary_task_labels_them(tmp_path: Path) -> None:
    _write_unlabelled_rows(tmp_path)
    data = prepare_data(tmp_path, build_block("sentence-length"))
    assert len(data.split.auxiliary_only) == N_UNLABELLED
    assert not np.intersect1d(data.split.auxiliary_only, data.split.train).size
    message = f"{N_UNLABELLED} training examples have no label for any main task"
    assert any(finding.startswith(message) for finding in data.warnings)
    visited = sorted(row for rows in _build_batches(tmp_path, build_block("sentence-length"))[0] for row in rows)
    assert visited == sorted(data.split.all_training_rows.tolist())


def test_task_with_weight_0_skips_unlabelled_examples(tmp_path: Path) -> None:
    """At weight 0, no auxiliary task has labels."""
    _write_unlabelled_rows(tmp_path)
    assert not len(prepare_data(tmp_path, build_block("sentence-length", weight=0)).split.auxiliary_only)


def test_unlabelled_examples_do_not_change_main_batches(tmp_path: Path) -> None:
    _write_unlabelled_rows(tmp_path)
    main_batches = _build_batches(tmp_path)
    auxiliary_only = set(prepare_data(tmp_path, build_block("sentence-length")).split.auxiliary_only.tolist())
    for epoch, batches in enumerate(_build_batches(tmp_path, build_block("sentence-length"))):
        assert [rows for rows in batches if not auxiliary_only & set(rows)] == main_batches[epoch]
        assert all(set(rows) <= auxiliary_only for rows in batches if auxiliary_only & set(rows))


def test_duplicates_of_validation_or_test_data_are_not_used(tmp_path: Path) -> None:
    _write_unlabelled_rows(tmp_path)
    validation_text = next(text for part, text, *_ in ROWS if part == "validation")
    first_index = next(index for index, row in enumerate(ROWS) if row[0] == "train")
    rows = [("train", validation_text, "", topic) if index == first_index else (part, text, mood, topic)
            for index, (part, text, mood, topic) in enumerate(ROWS)]  # fmt: skip
    write_rows(tmp_path, rows)
    assert not len(prepare_data(tmp_path, build_block("sentence-length")).split.auxiliary_only)


def test_run_with_unlabelled_examples_is_reproducible(tmp_path: Path) -> None:
    _write_unlabelled_rows(tmp_path)
    loaded_config = load_config(tmp_path, [build_block("masked-tokens")])
    weights = []
    for name in ("one", "two"):
        report = run_experiment(loaded_config, tmp_path / name)
        assert len(report.data.split.auxiliary_only) == N_UNLABELLED
        weights.append((tmp_path / name / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
