"""The Python API in a real Jupyter kernel: progress, tables and reports show themselves."""

import json
import subprocess
import sys
from typing import Any

import nbclient
import nbformat
import pytest

CELLS = [
    """\
import numpy as np, torch, mtl_core as mtl
x = np.random.default_rng(0).normal(size=(120, 3))
data = mtl.Data.from_arrays(x, {"a": x[:, 0] > 0, "b": x[:, 1]})
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.LazyLinear(8)
    def forward(self, values):
        return self.layer(values)
run = mtl.Model(tasks=["a", mtl.Task("b", kind="regression")], backbone=Net).fit(data, epochs=2)
run""",
    "run.predict(x[:2])",
    "run.report()",
]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """The outputs of each cell, run in a kernel of this Python."""
    folder = tmp_path_factory.mktemp("kernels")
    subprocess.run([sys.executable, "-m", "ipykernel", "install", "--prefix", folder], check=True, capture_output=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(folder / "share" / "jupyter"))
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
        nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    return [cell.outputs for cell in notebook.cells]


def test_progress_is_shown_without_warnings(outputs: list[list[Any]]) -> None:
    text = json.dumps([output for output in outputs[0] if "TqdmWarning" not in str(output)])  # of Accelerate's import
    assert "epoch 2: loss" in text
    assert "ipywidgets" not in text
    assert "Warning" not in text


def test_results_show_themselves(outputs: list[list[Any]]) -> None:
    metrics, predictions, report = (cell[-1]["data"]["text/html"] for cell in outputs)
    assert "<td>accuracy</td>" in metrics
    assert "<th>a</th><th>b</th>" in predictions
    assert "<iframe srcdoc=" in report
