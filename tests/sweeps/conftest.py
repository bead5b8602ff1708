"""A toy experiment with a block `sweep:`."""

from pathlib import Path
from typing import Any

import pytest
import toy
from sweep_files import WriteSweep

PARTS = str(Path(__file__).with_name("sweep_components.py"))
SPACE = {
    "optimizer.lr": {"type": "log-uniform", "low": 1.0e-5, "high": 0.1},
    "backbone.hidden_dims": {"choices": [[8], [4, 4]]},
}


@pytest.fixture
def write_sweep(tmp_path: Path) -> WriteSweep:
    """Write an experiment: `write(space={...}, trials=4, training={...})`; blocks as for the toy experiment."""

    def write_file(
        space: dict[str, Any] | None = None, trials: int = 6, sweep: dict[str, Any] | None = None, **blocks: Any
    ) -> Path:
        block = {"trials": trials, "space": space or SPACE, **(sweep or {})}
        plugins = [str(Path(toy.__file__).resolve()), PARTS]
        blocks = {"data": {"type": "toy", "rows": 60, "test_rows": 10}, "plugins": plugins, **blocks}
        return toy.write_experiment(tmp_path, sweep=block, **blocks)

    return write_file
