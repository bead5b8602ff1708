"""The check that further trials of an output directory can be compared with those that it already contains."""

import logging
from collections.abc import Iterable
from pathlib import Path

from mtl_core import __version__
from mtl_core.artifacts.provenance import Provenance, read_provenance
from mtl_core.artifacts.provenance_differences import describe_file, find_changed_file
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.input_files import hash_input_files
from mtl_core.errors import MtlError

logger = logging.getLogger(__name__)


def check_trial_provenance(run_dirs: Iterable[Path], config: ExperimentConfig) -> None:
    """Check that existing trials read the same data as further trials would, with the same version of mtl-core.

    A trial whose provenance was not recorded causes a warning.

    Args:
        run_dirs: Run directories of trials; those that do not exist are ignored.
        config: The experiment of a further trial.

    Raises:
        MtlError: If the data or the version differs, or an input file cannot be read.
    """
    runs = [run for run in map(RunDirectory, run_dirs) if run.config.is_file()]
    provenances = [(run.path, read_provenance(run.provenance)) for run in runs]
    known = [(path, provenance) for path, provenance in provenances if provenance is not None]
    unknown = [path for path, provenance in provenances if provenance is None]
    if unknown:
        logger.warning(
            "%s: an earlier version of mtl-core started %d of the existing trials: whether they read the same data is "
            "unknown",
            unknown[0].parent,
            len(unknown),
        )
    if not known:
        return
    files = hash_input_files(config)
    for path, provenance in known:
        _check_version(path, provenance)
        changed_key = find_changed_file(provenance.data_files, files)
        if changed_key is not None:
            raise MtlError(
                f"{path}: {changed_key} has changed since this trial started: it was "
                f"{describe_file(provenance.files[changed_key])}, and is now {describe_file(files[changed_key])}; "
                "trials on different data cannot be compared: restore the file, or choose another --out"
            )


def _check_version(path: Path, provenance: Provenance) -> None:
    if provenance.project_version != __version__:
        raise MtlError(
            f"{path}: mtl-core {provenance.project_version} started this trial, and this is mtl-core {__version__}; "
            "trials of different versions cannot be compared: continue with that version, or choose another --out"
        )
