"""Commands of plugins. Plugins are loaded only for a command that is not built in, or to list all commands."""

from collections.abc import Sequence
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from mtl_core.contributions import Commands
from mtl_core.errors import MtlError


class WithPlugins(TyperGroup):
    """Command group of the built-in commands and those of installed plugins."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, the built-in ones first."""
        self._take_in()
        return list(super().list_commands(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command with this name; None if there is none."""
        own = super().get_command(ctx, cmd_name)
        if own is None and not cmd_name.startswith("-"):
            self._take_in()  # also for the "did you mean" suggestions
            return super().get_command(ctx, cmd_name)
        return own

    def _take_in(self) -> None:
        if getattr(self, "_complete", False):
            return
        from mtl_core.plugins import Plugins
        from mtl_core.registry import Registry

        for name, commands in Registry(Plugins.installed(hook="mtl_commands")).commands().items():
            if name in self.commands:
                raise MtlError(f"mtl_commands: a plugin adds commands called '{name}', which is a built-in command")
            self.commands[name] = _Added(commands)
        self._complete = True


class _Added(TyperGroup):
    """Command group of a plugin; its module is imported when one of its commands is used."""

    def __init__(self, commands: Commands) -> None:
        super().__init__(name=commands.name, help=commands.help, no_args_is_help=True)
        self._added = commands

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of its commands."""
        names: Sequence[str] = self._loaded().list_commands(ctx)
        return list(names)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command with this name; None if there is none."""
        return self._loaded().get_command(ctx, cmd_name)

    def _loaded(self) -> Any:
        command = get_command(self._added.load())
        if not isinstance(command, TyperGroup):
            raise MtlError(
                f"the commands `mtl {self._added.name}`: '{self._added.app}' is one command, expected a "
                f"typer.Typer "
                "with a callback or with several commands"
            )
        return command
