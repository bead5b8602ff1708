"""A run does not import packages that it does not need, which would take seconds and a hundred megabytes."""

import subprocess
import sys
from pathlib import Path

UNUSED = (  # pandas is imported by scikit-learn if it is installed
    "torchmetrics",
    "transformers",
)

RUN = """
import sys
from mtl_core.cli.app import main
try:
    main(sys.argv[2:])
except SystemExit as exit:
    assert not exit.code
print("imported:", *(name for name in sys.argv[1].split(",") if name in sys.modules))
"""


def test_run_imports_no_unused_package(tmp_path: Path) -> None:
    # The experiment has a task of every kind, so all built-in kinds of label spaces are checked and scored.
    settings = ["--set", "training.epochs=1", "--set", "training.max_grad_norm=1"]
    arguments = ["run", "every-kind", *settings, "--out", str(tmp_path / "run")]
    command = [sys.executable, "-c", RUN, ",".join(UNUSED), *arguments]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert output.splitlines()[-1] == "imported:"
