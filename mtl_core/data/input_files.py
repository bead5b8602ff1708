"""Digests of the input files of an experiment."""

import hashlib
from pathlib import Path

from mtl_core.artifacts.provenance import FileFingerprint
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.paths import input_paths
from mtl_core.errors import MtlError


def hash_input_files(config: ExperimentConfig) -> dict[str, FileFingerprint]:
    """Compute the digests of all files and folders that an experiment reads, except for the run of `init_from`.

    Of a run that is extended, the files that define its network are read: config, state and weights.

    Files are read in pieces; nothing is cached. In folders, names that start with a dot are ignored.

    Returns:
        The key of each file in the config, such as `data.train`, to its size and digest. Further files of a loader
        (`LoaderSpec.list_additional_files`) have the key of the loader and their name, such as `data.labels.csv`.

    Raises:
        MtlError: If a file is missing or cannot be read; the message names the key and the file.
    """
    run_keys = {"init_from", "extends"}
    paths = {".".join(map(str, loc)): path for loc, path, _ in input_paths(config) if loc[0] not in run_keys}
    for name, loader in config.loaders.items():
        prefix = "data" if config.data is not None else f"data_sets.{name}"
        for path in sorted({Path(path) for path in loader.list_additional_files()}):
            paths[_find_free_key(f"{prefix}.{path.name}", paths)] = path
    files = {key: _hash_input(key, path) for key, path in paths.items() if not _is_stream(path)}
    if config.extends is not None:
        files["extends.run"] = _hash_network(config.extends.run)
    return files


def _hash_network(run_dir: Path) -> FileFingerprint:
    """Compute the digest of the network of a run: of its config, its state and its weights."""
    run = RunDirectory(run_dir)
    files = [run.config, run.weights, run.state]
    try:
        size = sum(file.stat().st_size for file in files)
        return FileFingerprint(run_dir.name, len(files), size, hash_files(run_dir, files))
    except OSError as error:
        raise MtlError(f"extends.run: {run_dir}: cannot be read: {error.strerror}") from error


def _find_free_key(key: str, used: dict[str, Path]) -> str:
    number, free_key = 2, key
    while free_key in used:
        free_key, number = f"{key} ({number})", number + 1
    return free_key


def _is_stream(path: Path) -> bool:
    """Return whether a path is a pipe or a device, which can be read only once."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _hash_input(key: str, path: Path) -> FileFingerprint:
    try:
        if not path.is_dir():
            return FileFingerprint(path.name, 1, path.stat().st_size, hash_file(path))
        files = _list_files(path)
        return FileFingerprint(
            path.name, len(files), sum(file.stat().st_size for file in files), hash_files(path, files)
        )
    except OSError as error:
        raise MtlError(f"{key}: {path}: cannot be read: {error.strerror}") from error


def hash_file(path: Path) -> str:
    """Compute the SHA-256 digest of a file, in hexadecimal; the file is read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hash_files(folder: Path, files: list[Path]) -> str:
    """Compute the SHA-256 digest of the lines `DIGEST  PATH` of files, with paths relative to a folder."""
    lines = (f"{hash_file(file)}  {file.relative_to(folder).as_posix()}\n" for file in files)
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _list_files(folder: Path) -> list[Path]:
    """List the files of a folder and its subfolders, sorted by path, without hidden ones."""
    files = (path for path in folder.rglob("*") if path.is_file())
    visible_files = (file for file in files if not any(part.startswith(".") for part in file.relative_to(folder).parts))
    return sorted(visible_files, key=lambda file: file.relative_to(folder).as_posix())
