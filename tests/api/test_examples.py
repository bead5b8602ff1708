"""The example of the Python API, which is as short as the documentation says."""

import ast
import runpy
from pathlib import Path

import pytest

from mtl_core.testing.rng import temporary_seed

EXAMPLE = Path(__file__).parents[2] / "examples" / "wines.py"


def test_dataframe_example_has_fifteen_lines_and_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    statements = ast.parse(EXAMPLE.read_text(encoding="utf-8")).body[1:]  # without the docstring
    lines = {line for node in statements for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    assert len(lines) <= 15
    monkeypatch.chdir(tmp_path)
    with temporary_seed(0):  # the module of the example is built outside of the run's seed
        runpy.run_path(str(EXAMPLE))
    output = capsys.readouterr().out
    accuracy = float(output.split()[0])
    assert accuracy > 0.6  # always the most frequent class: 0.4
    tables = output.splitlines()[1:]  # the header and three rows, twice: of the run, and of the loaded run
    assert len(tables) == 8
    assert tables[:4] == tables[4:]
