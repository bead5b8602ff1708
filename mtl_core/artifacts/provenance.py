"""The provenance of a run, as stored in `provenance.json`: input files, versions, platform, git revision."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from mtl_core.artifacts.json_files import dump_json, parse_schema, read_json
from mtl_core.atomic import write_text_atomically


@dataclass(frozen=True)
class FileFingerprint:
    """An input file or folder of a run.

    Attributes:
        name: Its file name, without the folder that contains it.
        files: Number of files: 1 for a file.
        size: Size of all files together, in bytes.
        sha256: The SHA-256 digest of the file in hexadecimal. For a folder, that of the lines `DIGEST  PATH` of its
            files (the output of `sha256sum`), sorted by path relative to the folder.
    """

    name: str
    files: int
    size: int
    sha256: str


@dataclass(frozen=True)
class PluginVersion:
    """A plugin that provides a component of the experiment.

    Attributes:
        distribution: The installed distribution that contains it; None for a file, or a module outside distributions.
        version: The version of the distribution; None without one.
        sha256: The SHA-256 digest of its source, as in `FileFingerprint`; None for a distribution.
    """

    distribution: str | None
    version: str | None
    sha256: str | None


@dataclass(frozen=True)
class Platform:
    """The machine of a run.

    Attributes:
        os: The name and release of the operating system.
        machine: The type of machine, such as `x86_64`.
        processor: The name of the processor; empty if the system does not report it.
        device: The device of the network: `cpu`, or the name of the accelerator.
        threads: Number of torch threads per process.
        processes: Number of processes.
    """

    os: str
    machine: str
    processor: str
    device: str
    threads: int
    processes: int


@dataclass(frozen=True)
class GitRevision:
    """The git revision of the folder that contains the experiment.

    Attributes:
        revision: The commit, in hexadecimal.
        has_uncommitted_changes: Whether a tracked file differs from it, or the experiment file is not tracked; None
            if git did not report it.
    """

    revision: str
    has_uncommitted_changes: bool | None


@dataclass(frozen=True)
class Provenance:
    """The provenance of a run, recorded when it starts.

    Attributes:
        python: The version of Python.
        packages: Distribution to version: this project, torch, and every package that a component of the experiment
            names.
        plugins: Module or file name of each plugin that provides a component, to its version.
        platform: The machine.
        git: The git revision; None if the experiment is not in a git repository, or git is not installed.
        files: Key in the config, such as `data.train`, to the file or folder that it names.
        resumed: Differences between the start of the run and the processes that resumed it, in sentences.
    """

    python: str
    packages: Mapping[str, str]
    plugins: Mapping[str, PluginVersion]
    platform: Platform
    git: GitRevision | None
    files: Mapping[str, FileFingerprint]
    resumed: Sequence[str] = ()

    @property
    def data_files(self) -> dict[str, FileFingerprint]:
        """The files of the loaders."""
        return {key: file for key, file in self.files.items() if key.startswith(DATA_KEYS)}

    @property
    def project_version(self) -> str:
        """The version of mtl-core."""
        return self.packages[PROJECT]

    def write(self, path: Path) -> None:
        """Write `provenance.json`.

        Raises:
            MtlError: If it cannot be written.
        """
        write_text_atomically(path, dump_json(asdict(self)))


PROJECT = "mtl-core"
"""The distribution of this project."""
DATA_KEYS = ("data.", "data_sets.")
"""Prefixes of the keys of loaders."""


def read_provenance(path: Path) -> Provenance | None:
    """Read `provenance.json`.

    Returns:
        The provenance; None if the file does not exist: an earlier version created the run.

    Raises:
        MtlError: If the file is damaged.
    """
    return parse_schema(Provenance, read_json(path), path) if path.is_file() else None
