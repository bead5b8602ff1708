"""One experiment file per network of a division."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment_source import ExperimentSource
from mtl_core.config.load import dump_config
from mtl_core.experiments.group.overrides import build_group_overrides


@dataclass(frozen=True)
class NetworkFile:
    """An experiment file that trains one network of a division."""

    path: Path
    tasks: Sequence[str]


def write_network_files(
    source: ExperimentSource,
    overrides: Sequence[str],
    tasks: Sequence[str],
    networks: Sequence[Sequence[str]],
    output_dir: Path,
) -> list[NetworkFile]:
    """Write `group-1.yaml` and so on: experiments for `mtl run`, with all values filled in.

    Args:
        source: The experiment.
        overrides: Overrides of all networks.
        tasks: The names of the active tasks.
        networks: The task names of each network.
        output_dir: The output directory.

    Raises:
        MtlError: If a file cannot be written.
    """
    base = source.load(overrides)
    files = []
    for number, network in enumerate(networks, start=1):
        group_overrides = build_group_overrides(base.config, network, tasks)
        name_override = f"name={base.config.name}-group-{number}"
        config = source.load([*overrides, *group_overrides, name_override]).config
        path = output_dir / f"group-{number}.yaml"
        write_text_atomically(path, dump_config(config))
        files.append(NetworkFile(path, network))
    return files
