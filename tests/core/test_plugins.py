"""Discovery, loading and validation of plugins, and messages about their errors."""

import ast
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import mtl_core
from mtl_core import HeadSpec, hookimpl
from mtl_core.config.load import load_experiment
from mtl_core.errors import MtlError
from mtl_core.plugins.extension_points import EXTENSION_POINTS
from mtl_core.plugins.loading import Plugins
from mtl_core.plugins.registry import Registry

Mtl = Callable[..., CompletedProcess[str]]
REPOSITORY = Path(__file__).parents[2]
BROKEN = "import mtl_core\nimport a_module_that_is_nowhere\n"


def format_head_plugin(name: str, extra_source: str = "") -> str:
    """Return the source of a plugin with one head."""
    return (
        "from typing import Literal\n"
        "from mtl_core import HeadSpec, hookimpl\n"
        "class Mine(HeadSpec):\n"
        f'    type: Literal["{name}"] = "{name}"\n'
        "    def build(self, inputs, outputs):\n"
        "        from torch import nn\n"
        "        return nn.Linear(inputs.width, outputs)\n"
        "@hookimpl\n"
        "def mtl_heads():\n"
        "    return [Mine]\n" + extra_source
    )


def write_distribution(folder: Path, distribution: str, entry: str, module: str, source: str) -> None:
    """Write the files of an installed distribution: metadata and a module."""
    metadata = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[mtl]\n{entry} = {module}\n")
    (folder / f"{module}.py").write_text(source)


def write_plugin(folder: Path, source: str, name: str = "mine.py") -> str:
    (folder / name).write_text(source)
    return str(folder / name)


def plugin_error(name: str) -> str:
    with pytest.raises(MtlError) as excinfo:
        Plugins.load_installed().add(name)
    return str(excinfo.value)


# Sources of plugins


def test_entry_point_is_found_with_its_origin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_distribution(tmp_path, "found-one", "found", "plugin_found", format_head_plugin("found-head"))
    monkeypatch.syspath_prepend(str(tmp_path))
    registry = Registry(Plugins.load_installed())
    (registered,) = registry.get_specs("heads")["found-head"]
    assert registered.plugin == "found"
    assert "plugin_found" in registered.origin
    assert "found-one" in registered.origin
    assert registry.find("heads", "found-head").type_name() == "found-head"


def test_the_command_line_finds_entry_points_too(tmp_path: Path, mtl_process: Mtl) -> None:
    write_distribution(tmp_path, "listed-one", "listed", "plugin_listed", format_head_plugin("listed-head"))
    result = mtl_process("plugins", env={"PYTHONPATH": str(tmp_path)})
    assert result.returncode == 0
    assert "listed-head" in result.stdout
    assert "entry point 'listed = plugin_listed' of listed-one" in result.stdout


def test_module_file_and_object_can_be_plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_plugin(tmp_path, format_head_plugin("from-module"), "plugin_by_module.py")
    monkeypatch.syspath_prepend(str(tmp_path))

    class ByObject(HeadSpec):
        type: str = "from-object"

        def build(self, inputs: object, outputs: int) -> object:  # type: ignore[override]
            raise NotImplementedError

    class Plugin:
        @hookimpl
        def mtl_heads(self) -> list[type[HeadSpec]]:
            return [ByObject]

    plugins = Plugins()
    plugins.add("plugin_by_module")
    plugins.add(write_plugin(tmp_path, format_head_plugin("from-file")))
    plugins.add_object(Plugin(), "by-object")
    assert set(Registry(plugins).get_specs("heads")) == {"from-module", "from-file", "from-object"}


def test_relative_file_is_relative_to_the_folder(tmp_path: Path) -> None:
    write_plugin(tmp_path, format_head_plugin("relative"))
    plugins = Plugins()
    plugins.add("mine.py", tmp_path)
    assert set(Registry(plugins).get_specs("heads")) == {"relative"}


def test_duplicate_plugin_is_no_clash(tmp_path: Path) -> None:
    path = write_plugin(tmp_path, format_head_plugin("once"))
    plugins = Plugins()
    plugins.add(path)
    plugins.add(path)
    plugins.add("mine.py", tmp_path)
    assert len(plugins.loaded) == 1
    assert Registry(plugins).find("heads", "once")


def test_plugin_can_be_added_after_a_model_class_was_used(tmp_path: Path, toy_experiment: Path) -> None:
    """The same model class validates first without the plugin, then with it."""
    settings = ["tasks.0.head=late-head"]
    with pytest.raises(MtlError, match="unknown head 'late-head'"):
        load_experiment(toy_experiment, settings)
    path = write_plugin(tmp_path, format_head_plugin("late-head"))
    config = load_experiment(toy_experiment, settings, [path]).config
    assert config.tasks[0].head.type == "late-head"
    assert config.plugins == [str(toy_experiment.with_name("toy_loader.py")), path]


def test_duplicate_distribution_is_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editable install has two copies of its metadata on the path."""
    for copy in ("first", "second"):
        write_distribution(
            tmp_path / copy, "doubled-one", "doubled", "plugin_doubled", format_head_plugin("doubled-head")
        )
        write_distribution(tmp_path / copy, "ailing-one", "ailing", "plugin_ailing", BROKEN)
        monkeypatch.syspath_prepend(str(tmp_path / copy))
    plugins = Plugins.load_installed()
    assert [plugin.name for plugin in plugins.loaded].count("doubled") == 1
    assert [plugin.name for plugin in plugins.broken if plugin.name in {"doubled", "ailing"}] == ["ailing"]
    assert len(Registry(plugins).get_specs("heads")["doubled-head"]) == 1


# Mistakes that pluggy does not report


def test_misspelt_hook_is_reported_with_the_nearest_name(tmp_path: Path) -> None:
    message = plugin_error(write_plugin(tmp_path, format_head_plugin("x").replace("mtl_heads", "mtl_head")))
    assert "'mtl_head', which is not a hook; did you mean 'mtl_heads'?" in message


def test_unknown_hook_is_reported(tmp_path: Path) -> None:
    message = plugin_error(write_plugin(tmp_path, format_head_plugin("x", "@hookimpl\ndef heads():\n    return []\n")))
    assert "unknown hook 'heads'" in message


def test_hook_without_decorator_is_reported(tmp_path: Path) -> None:
    message = plugin_error(write_plugin(tmp_path, format_head_plugin("x").replace("@hookimpl\n", "")))
    assert "'mtl_heads' is not marked with @hookimpl" in message


def test_file_without_hooks_and_hook_with_arguments_are_refused(tmp_path: Path) -> None:
    assert "implements no hook" in plugin_error(write_plugin(tmp_path, "x = 1\n", "none.py"))
    assert "'config'" in plugin_error(
        write_plugin(tmp_path, format_head_plugin("x").replace("mtl_heads()", "mtl_heads(config)"), "args.py")
    )


# Plugins that raise errors


@pytest.mark.parametrize(
    ("source", "line", "why"),
    [
        (BROKEN, 2, "ModuleNotFoundError: No module named 'a_module_that_is_nowhere'"),
        ("x = 1\n\n\ny = = 2\n", 4, "SyntaxError"),
        ("def f():\n    return 1 / 0\nf()\n", 2, "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(0)\n", 2, "SystemExit: 0"),
    ],
)
def test_explicit_plugin_that_cannot_be_imported_is_an_error(
    source: str, line: int, why: str, tmp_path: Path, toy_experiment: Path, mtl: Mtl
) -> None:
    path = write_plugin(tmp_path, source)
    result = mtl("validate", toy_experiment, "--plugin", path)
    assert result.returncode == 2
    assert f"plugin '{path}' cannot be imported: {why}" in result.stderr
    assert f"{path}:{line})" in result.stderr


def test_plugin_error_has_its_location_in_yaml(tmp_path: Path, toy_experiment: Path) -> None:
    write_plugin(tmp_path, BROKEN)
    path = tmp_path / "e.yaml"
    path.write_text(toy_experiment.read_text().replace("plugins: [toy_loader.py]", "plugins:\n  - mine.py"))
    with pytest.raises(MtlError) as excinfo:
        load_experiment(path)
    assert str(excinfo.value).startswith(f"{path}:14: plugins.0: plugin 'mine.py' cannot be imported")


@pytest.mark.parametrize("source", [BROKEN, "import sys\nsys.exit(0)\n"])
def test_failing_installed_plugin_is_reported_and_isolated(
    source: str, tmp_path: Path, toy_experiment: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_distribution(tmp_path, "sick-one", "sick", "plugin_sick", source)
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins_result = mtl("plugins")
    assert plugins_result.returncode == 0
    assert "sick: NOT USABLE" in plugins_result.stdout
    assert "plugin_sick.py:2" in plugins_result.stdout
    assert mtl("validate", toy_experiment).returncode == 0
    validate_result = mtl("validate", toy_experiment, "--set", "tasks.0.head=sick-head")
    assert validate_result.returncode == 2
    assert "unknown head 'sick-head'" in validate_result.stderr
    assert "plugin 'sick': " in validate_result.stderr


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ("raise ValueError('no luck')", "its hook mtl_heads failed: ValueError: no luck"),
        ("return 3", "its hook mtl_heads returned int, expected a list of spec classes"),
        ("return None", "its hook mtl_heads returned NoneType"),
        ("return [Mine, 'linear']", "its hook mtl_heads offers 'linear', expected a subclass of HeadSpec"),
        ("return [LossSpec]", "expected a subclass of HeadSpec"),
        ("return [NoDefault]", "offers NoDefault without a type name"),
        ("return [NoBuild]", "offers NoBuild, which lacks build"),
    ],
)
def test_failing_hook_is_reported_with_its_plugin(
    body: str, why: str, tmp_path: Path, toy_experiment: Path, mtl: Mtl
) -> None:
    extra_source = (
        "from mtl_core import LossSpec\n"
        "class NoDefault(Mine):\n    type: Literal['no-default']\n"
        "class NoBuild(HeadSpec):\n    type: Literal['no-build'] = 'no-build'\n"
    )
    path = write_plugin(tmp_path, format_head_plugin("x", extra_source).replace("return [Mine]", body))
    plugins = Plugins()
    plugins.add("mtl_core.builtins")
    plugins.add(path)
    registry = Registry(plugins)
    assert [plugin.name for plugin in registry.broken] == [path]
    assert why in registry.broken[0].reason
    assert registry.find("heads", "linear").type_name() == "linear"
    plugins_result = mtl("plugins", "--plugin", path)
    assert plugins_result.returncode == 0
    assert "NOT USABLE" in plugins_result.stdout
    validate_result = mtl("validate", toy_experiment, "--plugin", path)
    assert validate_result.returncode == 2
    assert why in validate_result.stderr


def test_experiments_hook_must_return_a_folder(tmp_path: Path, mtl: Mtl) -> None:
    path = write_plugin(
        tmp_path, format_head_plugin("x", "@hookimpl\ndef mtl_experiments():\n    return '/nowhere/at/all'\n")
    )
    assert "mtl_experiments returned '/nowhere/at/all', expected the path of a folder" in (
        mtl("plugins", "--plugin", path).stdout
    )


def test_spec_without_docstring_can_be_printed(tmp_path: Path, mtl: Mtl) -> None:
    result = mtl("plugins", "--plugin", write_plugin(tmp_path, format_head_plugin("wordless")))
    assert result.returncode == 0
    assert "wordless" in result.stdout


# Clashes


def test_type_name_clash_reports_both_plugins(tmp_path: Path, mtl: Mtl, toy_experiment: Path) -> None:
    paths = [write_plugin(tmp_path, format_head_plugin("twin"), f"{name}.py") for name in ("one", "two")]
    options = [word for path in paths for word in ("--plugin", path)]
    plugins_result = mtl("plugins", *options)
    assert plugins_result.stdout.count("twin (clash)") == 2
    result = mtl("validate", toy_experiment, *options, "--set", "tasks.0.head=twin")
    assert result.returncode == 2
    assert "head 'twin' is offered by more than one plugin: " in result.stderr
    for path in paths:
        assert f"'{path}' (file {path})" in result.stderr
    assert mtl("validate", toy_experiment, *options).returncode == 0, "a clash of unused names is no error"


def test_core_has_no_priority_in_a_clash(tmp_path: Path, toy_experiment: Path, mtl: Mtl) -> None:
    path = write_plugin(tmp_path, format_head_plugin("linear"))
    result = mtl("validate", toy_experiment, "--plugin", path)
    assert result.returncode == 2
    assert "head 'linear' is offered by more than one plugin: 'core' (entry point" in result.stderr
    assert f"'{path}' (file {path})" in result.stderr


def test_duplicate_entry_point_name_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for letter in "ab":
        write_distribution(
            tmp_path, f"same-{letter}", "same", f"plugin_same_{letter}", format_head_plugin(f"same-{letter}")
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    plugins = Plugins.load_installed()
    (broken_plugin,) = (plugin for plugin in plugins.broken if plugin.name == "same")
    assert "of same-b" in broken_plugin.origin
    assert "taken by another plugin (entry point 'same = plugin_same_a' of same-a)" in broken_plugin.reason
    with pytest.raises(MtlError, match=r"unknown head 'same-b'.*Not usable: .*plugin 'same'"):
        Registry(plugins).find("heads", "same-b")


def test_two_plugins_with_the_same_name_are_refused(tmp_path: Path) -> None:
    plugins = Plugins()
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        write_plugin(tmp_path / folder, format_head_plugin(folder))
    plugins.add("mine.py", tmp_path / "a")
    with pytest.raises(MtlError, match=r"its name 'mine\.py' is taken by another plugin \(file .*a/mine\.py\)"):
        plugins.add("mine.py", tmp_path / "b")


# The core without plugins


def test_core_imports_no_plugin() -> None:
    packages = {path.name for path in (REPOSITORY / "plugins").glob("*") if path.is_dir()}
    forbidden = {"absa_plugin", "plugins", "spacy"} | packages
    files = list(Path(mtl_core.__file__).parent.rglob("*.py"))
    assert len(files) > 50
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            roots = {name.partition(".")[0] for name in names}
            assert not roots & forbidden, f"{file}:{getattr(node, 'lineno', 0)} imports {roots & forbidden}"


def run_python(source: str, *arguments: object) -> CompletedProcess[str]:
    command = [sys.executable, "-c", source, *(str(argument) for argument in arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ, timeout=120)


def test_spec_modules_import_no_heavy_dependency() -> None:
    heavy = {"torch", "spacy", "sklearn", "torchmetrics", "accelerate", "scipy"}
    result = run_python(
        "import sys, mtl_core.builtins\nprint(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    assert result.returncode == 0, result.stderr
    modules = set(result.stdout.split())
    assert "mtl_core" in modules
    assert not modules & heavy


WITHOUT_ABSA = """
import sys
class Gone:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"absa_plugin", "spacy"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Gone())
from mtl_core.cli.app import main
for command in (["plugins"], ["run", sys.argv[1], "--out", sys.argv[2]], ["evaluate", sys.argv[2]]):
    try:
        main(command)
    except SystemExit as stop:
        assert not stop.code, (command, stop.code)
assert not {"absa_plugin", "spacy"} & set(sys.modules)
"""


def test_core_works_without_the_absa_plugin(toy_experiment: Path, tmp_path: Path) -> None:
    result = run_python(WITHOUT_ABSA, toy_experiment, tmp_path / "run")
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "metrics.json").is_file()


def test_every_extension_point_has_a_hook_and_builtins() -> None:
    plugins = Plugins()
    plugins.add("mtl_core.builtins")
    registry = Registry(plugins)
    assert not registry.broken
    assert {name for name in EXTENSION_POINTS if registry.get_specs(name)} == set(EXTENSION_POINTS) - {
        "auxiliary_tasks"
    }
