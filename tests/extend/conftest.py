"""A finished run to extend."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from extension_data import write_experiment

Mtl = Callable[..., CompletedProcess[str]]


@pytest.fixture(scope="session")
def base_folder(tmp_path_factory: pytest.TempPathFactory, mtl_uncaptured: Mtl) -> Path:
    """A folder with the data, and a finished run `base` with the tasks `sign` and `size`."""
    folder = tmp_path_factory.mktemp("extend")
    result = mtl_uncaptured("run", write_experiment(folder), "--out", folder / "base")
    assert result.returncode == 0, result.stderr
    return folder


@pytest.fixture(scope="session")
def frozen_run(base_folder: Path, mtl_uncaptured: Mtl) -> Path:
    """The run `base`, extended by the task `late`, whose labels are in another file."""
    out = base_folder / "frozen"
    result = mtl_uncaptured(
        "extend", base_folder / "base", "--task", "late", "--kind", "binary", "--data", base_folder / "new.csv",
        "--out", out,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    (base_folder / "frozen.txt").write_text(result.stdout)
    return out
