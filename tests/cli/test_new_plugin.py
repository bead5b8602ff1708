"""`mtl new-plugin` writes a plugin that can be installed, run, tested and listed as it is, or writes nothing."""

import ast
import json
import os
import shlex
import subprocess
import sys
import sysconfig
import tomllib
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FILES = {
    "README.md",
    "pyproject.toml",
    "door_bells/__init__.py",
    "door_bells/pooling.py",
    "door_bells/door-bells.yaml",
    "door_bells/sample.csv",
    "door_bells/py.typed",
    "tests/test_door_bells.py",
}
Mtl = Callable[..., CompletedProcess[str]]
Run = Callable[..., str]


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin written by the command."""
    from mtl_core.cli.app import main

    out = tmp_path_factory.mktemp("plugins")
    with pytest.raises(SystemExit) as stop:
        main(["new-plugin", "door-bells", "--out", str(out)])
    assert not stop.value.code
    return out / "door-bells"


@pytest.fixture(scope="module")
def run_python(plugin: Path) -> Run:
    """Runs Python in a separate environment, in which pip has installed the plugin."""
    folder = plugin.parent / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    # Packages of this environment can be imported there too; packages that pip installs there stay there.
    (site / "outside.pth").write_text(f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n")
    variables = {**os.environ, "OMP_NUM_THREADS": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def run_in_environment(*words: object) -> str:
        result = subprocess.run(
            [str(python), *map(str, words)],
            cwd=plugin,
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    run_in_environment("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "-e", ".")
    return run_in_environment


COMMANDS_SCRIPT = """
import json, sys
from mtl_core.cli.app import main
for words in json.loads(sys.argv[1]):
    try:
        main(words)
    except SystemExit as stop:
        assert not stop.code, words
    print("end of", words[0])
import pytest
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider"]))
"""


def test_all_files_are_written(plugin: Path) -> None:
    files = {path.relative_to(plugin).as_posix() for path in plugin.rglob("*") if path.is_file()}
    assert files >= FILES
    for path in FILES:
        assert "$" not in (plugin / path).read_text(encoding="utf-8"), path


def test_installed_plugin_is_found_and_runs_and_passes_its_tests(plugin: Path, run_python: Run) -> None:
    """All in one process, which imports torch once."""
    commands = (
        "plugins",
        "validate door-bells",
        "run door-bells --out runs/first --set training.epochs=2",
        "predict runs/first 'Water is pouring through the ceiling!'",
    )
    split = [shlex.split(command) for command in commands]
    rest, outputs = run_python("-c", COMMANDS_SCRIPT, json.dumps(split)), []
    for words in split:
        output, end, rest = rest.partition(f"end of {words[0]}\n")
        assert end
        outputs.append(output)
    plugins_output, validate_output, run_output, predict_output = outputs
    assert "door-bells: entry point 'door-bells = door_bells' of door-bells" in plugins_output
    for type_name in ("door-bells", "door-bells-max-pooling", "door-bells-top-two"):
        assert f" {type_name} " in plugins_output
    assert "NOT USABLE" not in plugins_output
    assert "tasks: urgency" in validate_output
    assert "urgency" in run_output
    assert "run directory: " in run_output
    assert "urgency" in predict_output
    assert " passed" in rest
    assert int(rest.rsplit(" passed", 1)[0].rsplit(None, 1)[-1]) > 40
    assert "skipped" not in rest


def test_the_task_takes_forty_lines_at_most(plugin: Path) -> None:
    """Counts the loader, head and metric, and the experiment's `data` and `tasks`, without blank lines."""
    lines = 0
    for path in (plugin / "door_bells").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef):
                segment = ast.get_source_segment(source, node) or ""
                lines += sum(bool(line.strip()) for line in segment.splitlines())
    experiment = (plugin / "door_bells" / "door-bells.yaml").read_text(encoding="utf-8")
    inside = False
    for line in experiment.splitlines():
        inside = line.startswith(("data:", "tasks:")) or (inside and line.startswith(" "))
        lines += inside
    assert 30 < lines <= 40


def test_the_sample_has_enough_of_every_class(plugin: Path) -> None:
    rows = (plugin / "door_bells" / "sample.csv").read_text(encoding="utf-8").splitlines()[1:]
    labels = [row.rsplit(",", 1)[1] for row in rows]
    assert len(set(rows)) == len(rows)
    assert all(labels.count(name) >= 15 for name in ("now", "soon", "whenever"))
    assert "" in labels


@pytest.mark.parametrize("name", ["door-bells", "Door_Bells", "bells-" * 6 + "bell"])
def test_generated_plugin_passes_ruff(name: str, tmp_path: Path, mtl: Mtl) -> None:
    assert mtl("new-plugin", name, "--out", tmp_path).returncode == 0
    folder = tmp_path / name
    for words in (["format", "--check"], ["check"]):
        result = _run_tool("ruff", *words, "--isolated", "--no-cache", ".", cwd=folder)
        assert result.returncode == 0, result.stdout + result.stderr
    assert yaml.safe_load(next(folder.rglob("*.yaml")).read_text(encoding="utf-8"))["name"] == name


MYPY = """\
[mypy]
strict = true
follow_imports = silent
[mypy-accelerate.*,hypothesis.*,jinja2.*,matplotlib.*,numpy.*,rich.*,safetensors.*,scipy.*,sklearn.*,sympy.*]
follow_imports = skip
[mypy-torch.*,torchmetrics.*,transformers.*,typer.*]
follow_imports = skip
[mypy-torch,torch._C.*,torch._tensor,torch.nn,torch.nn.modules.*]
follow_imports = silent
"""
"""Checks only the parts of torch that a plugin uses, tensors and modules: all of torch would take 30 seconds."""


def test_generated_plugin_passes_mypy(plugin: Path, tmp_path: Path) -> None:
    (tmp_path / "mypy.ini").write_text(MYPY, encoding="utf-8")
    # The cache holds the types of the core, which the first run takes 15 seconds to infer.
    options = ["--config-file", str(tmp_path / "mypy.ini"), "--cache-dir", str(ROOT / ".mypy_cache" / "new-plugin")]
    result = _run_tool("mypy", *options, "door_bells", "tests", cwd=plugin)
    assert result.returncode == 0, result.stdout + result.stderr


def _run_tool(name: str, *words: str, cwd: Path) -> CompletedProcess[str]:
    pytest.importorskip(name, reason=f"{name} is not installed (extra `lint`)")
    environment = {**os.environ, "MYPYPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    return subprocess.run(
        [sys.executable, "-m", name, *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("9 lives!", "did you mean 'lives'?"),
        ("door bells", "did you mean 'door-bells'?"),
        ("-x", "did you mean 'x'?"),
        ("été", "a letter first"),
        ("x" * 41, f"did you mean '{'x' * 40}'?"),
        ("class", "'class' is a Python keyword; 'mtl-class' would be free"),
        ("json", "a Python module 'json' already exists; 'mtl-json' would be free"),
        ("absa-plugin", "a Python module 'absa_plugin' already exists"),
        ("text", "a plugin of that name is installed (entry point 'text = mtl_text' of mtl-core); 'my-text'"),
        ("scikit-learn", "a distribution 'scikit-learn' is installed"),
        ("topic-sentiment", "an experiment 'topic-sentiment' is packaged by another plugin"),
        ("table", "a loader 'table' already exists"),
    ],
)
def test_invalid_name_is_rejected_with_a_reason(name: str, message: str, tmp_path: Path, mtl: Mtl) -> None:
    result = mtl("new-plugin", "--out", tmp_path, "--", name)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert not list(tmp_path.iterdir())


def test_nothing_is_overwritten(tmp_path: Path, mtl: Mtl) -> None:
    (tmp_path / "bells").mkdir()
    (tmp_path / "bells" / "mine").write_text("mine")
    result = mtl("new-plugin", "bells", "--out", tmp_path)
    assert result.returncode == 2
    assert "bells: exists already; choose another name, or another folder with --out" in result.stderr
    assert [path.name for path in tmp_path.rglob("*")] == ["bells", "mine"]


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_invalid_output_folder(kind: str, tmp_path: Path, mtl: Mtl) -> None:
    output_dir = tmp_path / "place"
    if kind == "file":
        output_dir.touch()
    result = mtl("new-plugin", "bells", "--out", output_dir)
    assert result.returncode == 2
    assert f"{output_dir}: {'not a folder' if kind == 'file' else 'no such folder'}" in result.stderr


@pytest.mark.skipif(os.name == "nt" or not hasattr(os, "geteuid"), reason="needs limits of POSIX")
def test_full_disk_leaves_no_files(tmp_path: Path) -> None:
    """No file may exceed one kilobyte, as if the disk were full after the first small files."""
    script = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)); "
        "from mtl_core.cli.app import main; main()"
    )
    result = subprocess.run(
        [sys.executable, "-B", "-c", script, "new-plugin", "bells", "--out", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith(f"error: {tmp_path / 'bells'}: cannot be written: ")
    assert not list(tmp_path.iterdir())


def test_default_output_is_the_current_folder(tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = mtl("new-plugin", "bells")
    assert result.returncode == 0
    assert (tmp_path / "bells" / "bells" / "__init__.py").is_file()
    assert 'pip install -e ".[test]"' in result.stdout


def test_experiment_is_found_by_name_despite_a_folder_of_that_name(
    tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a plugin's folder, the package usually has the same name as the experiment."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "absa-sample").mkdir()
    assert mtl("validate", "absa-sample").returncode == 0


def test_templates_are_packaged() -> None:
    """A template that matches no pattern of `package-data` would be missing from an installation."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    patterns = project["tool"]["setuptools"]["package-data"]["*"]
    templates = (ROOT / "mtl_core" / "scaffold").rglob("*.tmpl")
    assert all(any(fnmatch(path.name, pattern) for pattern in patterns) for path in templates)
