"""`Run.extend`: tables in memory, modules as heads, and the same refusals as on the command line."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from torch import nn

import mtl_core as mtl
from mtl_core import MtlError


def build_late_labels(frame: pd.DataFrame) -> pd.DataFrame:
    """Return other rows of the same columns, with labels for a new task."""
    table = frame.drop(columns=["topic", "rating"]).iloc[:80] * 1.1
    values = table.select_dtypes("number").to_numpy()
    return table.assign(late=np.where(values[:, 0] > 0, "yes", "no"))


def test_labels_in_memory(run: mtl.Run, frame: pd.DataFrame) -> None:
    extended = run.extend("late", build_late_labels(frame), progress=False)
    before, after = (one.predict(frame).to_frame(probabilities=True) for one in (run, extended))
    pd.testing.assert_frame_equal(after[before.columns.tolist()], before)
    assert [name for name in after.columns if name not in before.columns and name.startswith("late")]
    assert extended.metrics["validation", "late", "accuracy"] is not None


def test_a_module_as_head(run: mtl.Run, frame: pd.DataFrame, tmp_path: Path) -> None:
    def head(features: object, outputs: int) -> nn.Module:
        return nn.Linear(features.width, outputs)  # type: ignore[attr-defined]

    task = mtl.Task("late", kind="binary", head=head)
    extended = run.extend(task, build_late_labels(frame), out=tmp_path / "out", progress=False)
    assert "late" in {task.name for task in extended.saved_run.main_tasks}
    with pytest.raises(MtlError, match="handed in from Python"):
        mtl.load(tmp_path / "out")
    assert mtl.load(tmp_path / "out", parts=[head]).path == extended.path


def test_refusals(run: mtl.Run, frame: pd.DataFrame, tmp_path: Path) -> None:
    table = build_late_labels(frame)
    with pytest.raises(MtlError, match="already has a task 'topic'"):
        run.extend("topic", table, progress=False)
    with pytest.raises(MtlError, match="no column 'lat'"):
        run.extend("lat", table, progress=False)
    with pytest.raises(MtlError, match="margin and force are for mode='joint'"):
        run.extend("late", table, margin=0.1, progress=False)
    with pytest.raises(MtlError, match="Joint training needs the data of the run"):
        run.extend("late", table, mode="joint", out=tmp_path / "out", progress=False)
    with pytest.raises(MtlError, match="tables in memory, which are not saved"):
        run.extend("late", progress=False)
    assert not (tmp_path / "out").exists()
