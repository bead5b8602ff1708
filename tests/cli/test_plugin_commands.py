"""Commands that plugins add."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtl_core import Commands, MtlError, Service
from mtl_core.cli.app import app
from mtl_core.hookspecs import hookimpl
from mtl_core.plugins import Plugins
from mtl_core.registry import Registry

RUNNER = CliRunner()


class Adding:
    """A plugin that adds commands and a service."""

    def __init__(self, name: str = "bakery", app: str = "json:dumps") -> None:
        self.name, self.app = name, app

    @hookimpl
    def mtl_commands(self) -> list[Commands]:
        return [Commands(self.name, "Bread.", self.app)]

    @hookimpl
    def mtl_services(self) -> list[Service]:
        return [Service(self.name, "Bread over HTTP.", self.app)]


def registry(*plugins: object) -> Registry:
    found = Plugins()
    for number, plugin in enumerate(plugins):
        found.add_object(plugin, f"plugin-{number}")
    return Registry(found)


def test_what_plugins_add_is_found() -> None:
    known = registry(Adding(), Adding("mill"))
    assert list(known.commands()) == ["bakery", "mill"]
    assert known.services()["mill"].help == "Bread over HTTP."


def test_two_plugins_cannot_add_the_same() -> None:
    with pytest.raises(MtlError, match="'bakery' is offered by more than one plugin: 'plugin-0' and 'plugin-1'"):
        registry(Adding(), Adding()).commands()


def test_what_is_no_command_makes_its_plugin_unusable() -> None:
    class Wrong:
        @hookimpl
        def mtl_commands(self) -> list[str]:
            return ["bake"]

    known = registry(Wrong(), Adding())
    assert list(known.commands()) == ["bakery"]
    assert "its hook mtl_commands offers 'bake', expected Commands" in known.broken_note()


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
def test_commands_that_cannot_be_loaded_say_whose_they_are(target: str, message: str) -> None:
    with pytest.raises(MtlError, match=message):
        Adding(app=target).mtl_commands()[0].load()


def test_a_plugin_s_commands_are_listed_and_run() -> None:
    listed = RUNNER.invoke(app, ["--help"])
    assert "absa" in listed.output
    group = RUNNER.invoke(app, ["absa", "--help"])
    assert group.exit_code == 0, group.output
    assert "rate" in group.output


def test_a_misspelt_command_is_answered_with_the_nearest_of_all() -> None:
    found = RUNNER.invoke(app, ["absaa"])
    assert found.exit_code == 2
    assert "absa" in found.output


def test_own_commands_do_not_load_plugins(tmp_path: Path) -> None:
    code = "import sys; from mtl_core.cli.app import main; main(['run', '--help'])"
    command = f"import atexit, sys; atexit.register(lambda: print('absa_plugin' in sys.modules)); {code}"
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.stdout.strip().endswith("False"), done.stderr


def test_only_plugins_that_may_add_commands_are_loaded_for_a_list() -> None:
    named = {plugin.name for plugin in Plugins.installed(hook="mtl_commands").loaded}
    every = {plugin.name for plugin in Plugins.installed().loaded}
    adding = {plugin.name for plugin in Plugins.installed().loaded if hasattr(plugin.module, "mtl_commands")}
    assert adding <= named < every
    assert "absa" in adding
