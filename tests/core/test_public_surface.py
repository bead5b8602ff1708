"""The public packages export what they list, lazily, and no exported name is hidden by a module."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import mtl_core

PUBLIC = ["mtl_core", *(f"mtl_core.{name}" for name in ("data", "nn", "reporting", "runs", "testing", "training"))]
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_can_be_imported(name: str) -> None:
    package = importlib.import_module(name)
    assert package.__all__
    for public_name in package.__all__:
        assert getattr(package, public_name) is not None


@pytest.mark.parametrize("name", PUBLIC)
def test_no_public_name_is_the_name_of_a_module(name: str) -> None:
    """Importing such a module would replace the exported object by the module."""
    package = importlib.import_module(name)
    modules = {module.name for module in pkgutil.iter_modules(package.__path__)}
    assert not modules & set(package.__all__)


@pytest.mark.parametrize("statement", ["import mtl_core", "from mtl_core import HeadSpec, Classification, Features"])
def test_import_is_light(statement: str) -> None:
    script = (
        f"{statement}\nimport sys\nprint([name for name in ('torch', 'spacy', 'torchmetrics') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version_has_one_source() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == mtl_core.__version__
    assert 'dynamic = ["version"]' in (ROOT / "pyproject.toml").read_text(encoding="utf-8")
