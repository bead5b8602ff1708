"""`mtl plugins`: a command that does not import torch."""

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mtl_core.plugins.extension_points import EXTENSION_POINTS
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry
from mtl_core.progress.bars import print_plain


def plugins_command(plugins: Sequence[str]) -> None:
    """List the installed plugins and their contributions, and broken plugins."""
    registry = Registry(load_plugins(plugins))
    console = Console()
    table = Table(show_edge=False, pad_edge=False)
    for column in ("hook", "type", "description", "plugin"):
        table.add_column(column, no_wrap=column in {"hook", "type"})
    for extension_point in EXTENSION_POINTS.values():
        for name, specs in sorted(registry.get_specs(extension_point.name).items()):
            for registered_spec in specs:
                note = " [red](clash)[/red]" if len(specs) > 1 else ""
                summary = (registered_spec.spec.__doc__ or "").strip().partition("\n")[0]
                table.add_row(
                    extension_point.hook, escape(name) + note, escape(summary), escape(registered_spec.plugin)
                )
    for name, path in registry.collect_experiments().items():
        table.add_row("mtl_experiments", name, _read_first_comment(path), "")
    for name, commands in registry.collect_commands().items():
        table.add_row("mtl_commands", name, escape(commands.help), "")
    for name, service in registry.collect_services().items():
        table.add_row("mtl_services", name, escape(service.help), "")
    console.print(table)
    console.print("\nplugins:")
    for plugin in registry.plugins.loaded:
        print_plain(console, f"  {plugin.name}: {plugin.origin}")
    for broken_plugin in registry.broken:
        print_plain(console, f"  {broken_plugin.name}: NOT USABLE: {broken_plugin.reason} ({broken_plugin.origin})")


def _read_first_comment(path: Path) -> str:
    line = path.read_text(encoding="utf-8").split("\n", 1)[0]
    return escape(line.removeprefix("#").strip()) if line.startswith("#") else ""
