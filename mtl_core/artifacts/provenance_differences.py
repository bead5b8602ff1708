"""Differences between the provenance of two runs, or of a run and the process that continues it."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from mtl_core.artifacts.provenance import FileFingerprint, PluginVersion, Provenance

DIGEST_LENGTH = 12
"""Number of displayed characters of a digest."""


def find_changed_file(first: Mapping[str, FileFingerprint], second: Mapping[str, FileFingerprint]) -> str | None:
    """Return the first key whose file has another content; keys that only one of both has are ignored."""
    return next((key for key, file in first.items() if key in second and second[key].sha256 != file.sha256), None)


def describe_file(file: FileFingerprint) -> str:
    """Describe the content of a file or folder: `train.csv, 1,234 bytes, SHA-256 0a1b2c3d4e5f`."""
    n_files = f", {file.files:,} files" if file.files != 1 else ""
    return f"{file.name}{n_files}, {file.size:,} bytes, SHA-256 {file.sha256[:DIGEST_LENGTH]}"


def describe_plugin(plugin: PluginVersion) -> str:
    """Describe the version of a plugin: `my-plugin 1.2`, or the digest of its source."""
    if plugin.distribution is not None:
        return f"{plugin.distribution} {plugin.version}"
    return f"source with SHA-256 {plugin.sha256[:DIGEST_LENGTH]}" if plugin.sha256 else "source unknown"


def collect_versions(provenance: Provenance) -> dict[str, str]:
    """Return the name of everything besides the data that affects the bits of a result, to its value as text."""
    return {
        "Python": provenance.python,
        **provenance.packages,
        **{f"plugin {name}": describe_plugin(plugin) for name, plugin in provenance.plugins.items()},
        **{name: str(value) for name, value in asdict(provenance.platform).items()},
    }


def iterate_version_differences(first: Provenance, second: Provenance) -> Iterator[tuple[str, str, str]]:
    """Yield the name and both values of every version and property of the machine that differs.

    Names that only one of both has are ignored: the experiments may use other components.
    """
    second_values = collect_versions(second)
    for name, value in collect_versions(first).items():
        if second_values.get(name, value) != value:
            yield name, value, second_values[name]
