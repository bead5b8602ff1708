"""The provenance of a run, for its report and its model card."""

from collections.abc import Iterator

from mtl_core.artifacts.provenance import GitRevision, Provenance
from mtl_core.artifacts.provenance_differences import describe_file, describe_plugin
from mtl_core.reporting.blocks import Block, Cell, Column, Table, TextBlock

UNKNOWN = "Unknown: the run directory contains no `provenance.json`, since an earlier version of mtl-core created it."


def build_provenance_blocks(provenance: Provenance | None) -> list[Block]:
    """Build a table of versions, machine and input files; a sentence if they are unknown."""
    if provenance is None:
        return [TextBlock([UNKNOWN])]
    rows = [[Cell(name), Cell(text)] for name, text in _iterate_rows(provenance)]
    columns = [Column("what", is_numeric=False), Column("value", is_numeric=False)]
    blocks: list[Block] = [
        Table("State at the start of the run; `provenance.json` has the whole digests", columns, rows)
    ]
    if provenance.resumed:
        blocks.append(TextBlock([f"{sentence}." for sentence in provenance.resumed], is_list=True))
    return blocks


def _iterate_rows(provenance: Provenance) -> Iterator[tuple[str, str]]:
    packages = [f"{name} {version}" for name, version in provenance.packages.items()]
    yield "versions", ", ".join([f"Python {provenance.python}", *packages])
    plugins = [f"{name} ({describe_plugin(plugin)})" for name, plugin in provenance.plugins.items()]
    if plugins:
        yield "plugins", ", ".join(plugins)
    machine = provenance.platform
    processor = f", {machine.processor}" if machine.processor else ""
    yield "machine", f"{machine.os}, {machine.machine}{processor}"
    yield "device", f"{machine.device}, threads: {machine.threads}, processes: {machine.processes}"
    yield "git revision", _describe_git(provenance.git)
    for key, file in provenance.files.items():
        yield key, describe_file(file)


def _describe_git(git: GitRevision | None) -> str:
    if git is None:
        return "none: the experiment is not in a git repository"
    changes = {True: ", with uncommitted changes", False: "", None: ", uncommitted changes unknown"}
    return f"{git.revision}{changes[git.has_uncommitted_changes]}"
