"""Whether the data of a finished run is still there, as it was when the run was trained."""

from dataclasses import dataclass

from mtl_core.artifacts.provenance import DATA_KEYS, read_provenance
from mtl_core.artifacts.provenance_differences import describe_file, find_changed_file
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.input_files import hash_input_files
from mtl_core.errors import MtlError


@dataclass(frozen=True)
class KnownData:
    """The state of the data of a finished run.

    Attributes:
        is_available: Whether it can be read.
        difference: What is missing or has changed since the run was trained; empty if it is unchanged.
    """

    is_available: bool
    difference: str


def check_known_data(run: RunDirectory, config: ExperimentConfig) -> KnownData:
    """Compare the data files of a run with the digests that it recorded.

    Args:
        run: The run directory.
        config: Its experiment.
    """
    provenance = read_provenance(run.provenance)
    try:
        files = hash_input_files(config.model_copy(update={"extends": None}))
        data_files = {key: file for key, file in files.items() if key.startswith(DATA_KEYS)}
        if not data_files:  # tables in memory, which are not saved, or a loader without files
            for loader in config.loaders.values():
                loader.load()
    except MtlError as error:
        return KnownData(False, str(error))
    if provenance is None:
        return KnownData(True, f"whether the data has changed is unknown: the run has no {run.provenance.name}")
    key = find_changed_file(provenance.data_files, data_files)
    if key is None:
        return KnownData(True, "")
    return KnownData(
        True,
        f"{key} has changed since the run was trained: it was {describe_file(provenance.files[key])}, and is now "
        f"{describe_file(data_files[key])}",
    )
