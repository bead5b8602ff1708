"""Commands of plugins. Plugins are loaded only for a command that is not built in, or to list all commands."""

from collections.abc import Sequence
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from mtl_core.errors import MtlError
from mtl_core.plugins.contributions import Commands

COMMAND_HINTS = {
    **dict.fromkeys(("fit", "train"), "run"),
    **dict.fromkeys(("eval", "score", "test"), "evaluate"),
    **dict.fromkeys(("infer", "inference"), "predict"),
    **dict.fromkeys(("optimize", "search", "tune"), "sweep"),
    **dict.fromkeys(("check", "lint"), "validate"),
    **dict.fromkeys(("init", "new"), "new-plugin"),
    "continue": "resume",
}
"""Command that users of other programs guess, to the command that does this."""


class PluginAwareGroup(TyperGroup):
    """Command group of the built-in commands and those of installed plugins."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, the built-in ones first."""
        self._load_plugin_commands()
        return list(super().list_commands(ctx))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command with this name; None if there is none."""
        command = super().get_command(ctx, cmd_name)
        if command is None and not cmd_name.startswith("-"):
            self._load_plugin_commands()  # also for the "did you mean" suggestions
            return super().get_command(ctx, cmd_name)
        return command

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command of the arguments; the error of a guessed command names the one that does this."""
        if args[0] in COMMAND_HINTS and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"No such command '{args[0]}'. Did you mean '{COMMAND_HINTS[args[0]]}'?")
        return super().resolve_command(ctx, args)

    def _load_plugin_commands(self) -> None:
        if getattr(self, "_complete", False):
            return
        from mtl_core.plugins.loading import Plugins
        from mtl_core.plugins.registry import Registry

        for name, commands in Registry(Plugins.load_installed(hook="mtl_commands")).collect_commands().items():
            if name in self.commands:
                raise MtlError(f"mtl_commands: a plugin adds commands called '{name}', which is a built-in command")
            self.commands[name] = _PluginGroup(commands)
        self._complete = True


class _PluginGroup(TyperGroup):
    """Command group of a plugin; its module is imported when one of its commands is used."""

    def __init__(self, commands: Commands) -> None:
        super().__init__(name=commands.name, help=commands.help, no_args_is_help=True)
        self._commands = commands

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of its commands."""
        names: Sequence[str] = self._load_group().list_commands(ctx)
        return list(names)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command with this name; None if there is none."""
        return self._load_group().get_command(ctx, cmd_name)

    def _load_group(self) -> Any:
        command = get_command(self._commands.load())
        if not isinstance(command, TyperGroup):
            raise MtlError(
                f"the commands `mtl {self._commands.name}`: '{self._commands.app}' is one command, expected a "
                f"typer.Typer "
                "with a callback or with several commands"
            )
        return command
