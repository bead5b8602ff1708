"""The provenance of a run: recorded when it starts, and checked when it is resumed."""

import logging
import platform
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from accelerate import Accelerator

from mtl_core.artifacts.provenance import FileFingerprint, Platform, Provenance, read_provenance
from mtl_core.artifacts.provenance_differences import describe_file, find_changed_file, iterate_version_differences
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.input_files import hash_input_files
from mtl_core.errors import MtlError
from mtl_core.runs.distributed import is_worker_rank
from mtl_core.runs.git_revision import read_git_revision
from mtl_core.runs.plugin_versions import find_package_versions, find_plugin_versions

logger = logging.getLogger(__name__)


def collect_provenance(
    config: ExperimentConfig,
    files: Mapping[str, FileFingerprint],
    accelerator: Accelerator,
    experiment_path: Path | None,
) -> Provenance:
    """Collect the provenance of a run that starts in this process.

    Args:
        config: The experiment.
        files: The digests of its input files.
        accelerator: The device and the processes.
        experiment_path: The experiment file, whose git revision is recorded; None for the working directory.
    """
    return Provenance(
        python=platform.python_version(),
        packages=find_package_versions(config),
        plugins=find_plugin_versions(config),
        platform=_describe_platform(accelerator),
        git=read_git_revision(experiment_path or Path()),
        files=files,
    )


def check_input_files(run: RunDirectory, config: ExperimentConfig) -> None:
    """Check, before a run is resumed, that its input files have not changed since it started.

    Raises:
        MtlError: If a file has another content, is missing, or cannot be read.
    """
    provenance = read_provenance(run.provenance)
    if provenance is None:
        return
    files = hash_input_files(config)
    changed_key = find_changed_file(provenance.files, files)
    if changed_key is not None:
        raise MtlError(
            f"{run.path}: {changed_key} has changed since the run started: it was "
            f"{describe_file(provenance.files[changed_key])}, and is now {describe_file(files[changed_key])}; restore "
            f"the file, or train again with `mtl run {run.config} --out NEW`"
        )


def record_resumption(run: RunDirectory, config: ExperimentConfig, accelerator: Accelerator) -> None:
    """Warn if versions or the machine differ from the start of a run, and record the differences in its provenance.

    They do not prevent that a run is resumed: only its bits may differ from those of an uninterrupted run.
    """
    provenance = read_provenance(run.provenance)
    if provenance is None:
        sentences = [
            f"the run has no {run.provenance.name}, since an earlier version of mtl-core started it: whether its data "
            "has changed is unknown"
        ]
    else:
        current = collect_provenance(config, provenance.files, accelerator, None)
        sentences = [
            f"resumed with {name} {now}; the run started with {name} {before}"
            for name, before, now in iterate_version_differences(provenance, current)
        ]
    for sentence in sentences:
        if not is_worker_rank():
            note = "" if provenance is None else ": the result may differ from that of an uninterrupted run"
            logger.warning("%s: %s%s", run.path, sentence, note)
    if provenance is not None and (new := [sentence for sentence in sentences if sentence not in provenance.resumed]):
        replace(provenance, resumed=[*provenance.resumed, *new]).write(run.provenance)


def _describe_platform(accelerator: Accelerator) -> Platform:
    import torch

    device: torch.device = accelerator.device
    return Platform(
        os=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        processor=_find_processor(),
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        threads=torch.get_num_threads(),
        processes=accelerator.num_processes,
    )


def _find_processor() -> str:
    """Return the name of the processor; Linux reports it in a file, other systems to Python."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return platform.processor()
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor())
