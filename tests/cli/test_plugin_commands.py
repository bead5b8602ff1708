"""Commands that plugins add."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtl_core import Commands, MtlError, Service
from mtl_core.cli.app import app
from mtl_core.plugins.hookspecs import hookimpl
from mtl_core.plugins.loading import Plugins
from mtl_core.plugins.registry import Registry

RUNNER = CliRunner()


class CommandPlugin:
    """A plugin that adds commands and a service."""

    def __init__(self, name: str = "bakery", app: str = "json:dumps") -> None:
        self.name, self.app = name, app

    @hookimpl
    def mtl_commands(self) -> list[Commands]:
        return [Commands(self.name, "Bread.", self.app)]

    @hookimpl
    def mtl_services(self) -> list[Service]:
        return [Service(self.name, "Bread over HTTP.", self.app)]


def build_registry(*plugins: object) -> Registry:
    loaded_plugins = Plugins()
    for number, plugin in enumerate(plugins):
        loaded_plugins.add_object(plugin, f"plugin-{number}")
    return Registry(loaded_plugins)


def test_commands_and_services_of_plugins_are_found() -> None:
    known = build_registry(CommandPlugin(), CommandPlugin("mill"))
    assert list(known.collect_commands()) == ["bakery", "mill"]
    assert known.collect_services()["mill"].help == "Bread over HTTP."


def test_duplicate_command_is_rejected() -> None:
    with pytest.raises(MtlError, match="'bakery' is offered by more than one plugin: 'plugin-0' and 'plugin-1'"):
        build_registry(CommandPlugin(), CommandPlugin()).collect_commands()


def test_invalid_command_makes_its_plugin_unusable() -> None:
    class Wrong:
        @hookimpl
        def mtl_commands(self) -> list[str]:
            return ["bake"]

    known = build_registry(Wrong(), CommandPlugin())
    assert list(known.collect_commands()) == ["bakery"]
    assert "its hook mtl_commands offers 'bake', expected Commands" in known.format_broken_plugins()


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "no_such_module:app",
            "the commands `mtl bakery` cannot be loaded from 'no_such_module:app': ModuleNotFound",
        ),
        ("json:no_such", "AttributeError"),
    ],
)
def test_commands_that_cannot_be_loaded_report_the_reason(target: str, message: str) -> None:
    with pytest.raises(MtlError, match=message):
        CommandPlugin(app=target).mtl_commands()[0].load()


def test_plugin_commands_are_in_the_help_and_run() -> None:
    help_result = RUNNER.invoke(app, ["--help"])
    assert "absa" in help_result.output
    group_result = RUNNER.invoke(app, ["absa", "--help"])
    assert group_result.exit_code == 0, group_result.output
    assert "rate" in group_result.output


def test_misspelt_command_gets_a_suggestion() -> None:
    result = RUNNER.invoke(app, ["absaa"])
    assert result.exit_code == 2
    assert "absa" in result.output


def test_core_commands_do_not_load_plugins(tmp_path: Path) -> None:
    code = "import sys; from mtl_core.cli.app import main; main(['run', '--help'])"
    command = f"import atexit, sys; atexit.register(lambda: print('absa_plugin' in sys.modules)); {code}"
    result = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert result.stdout.strip().endswith("False"), result.stderr


def test_help_loads_only_plugins_that_may_add_commands() -> None:
    loaded_names = {plugin.name for plugin in Plugins.load_installed(hook="mtl_commands").loaded}
    all_names = {plugin.name for plugin in Plugins.load_installed().loaded}
    names_with_commands = {
        plugin.name for plugin in Plugins.load_installed().loaded if hasattr(plugin.module, "mtl_commands")
    }
    assert names_with_commands <= loaded_names < all_names
    assert "ratings" in names_with_commands
