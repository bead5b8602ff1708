"""The files of a run of independent networks: one directory for the networks of many tasks."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from io import StringIO
from pathlib import Path

from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_text_atomically
from mtl_core.errors import MtlError


@dataclass(frozen=True)
class NetworkEpoch:
    """One epoch of one network: a row of `history.csv`.

    Attributes:
        task: The task of the network.
        epoch: The epoch, counted from 1.
        learning_rate: The learning rate of the last step.
        loss: The mean training loss per label; None without labels.
        score: The validation metric that selects the epoch; None if it is undefined.
    """

    task: str
    epoch: int
    learning_rate: float
    loss: float | None
    score: float | None


def get_networks_file(run: RunDirectory) -> Path:
    """Return the path of the weights of all networks, stacked by task in the order of `state.json`."""
    return run.path / "networks.safetensors"


def open_network_run(path: Path) -> RunDirectory:
    """Open the directory of a run that trained one network.

    Args:
        path: The run directory.

    Raises:
        MtlError: If `path` is not a run directory, or contains independent networks of several tasks.
    """
    run = RunDirectory.open(path)
    if not get_networks_file(run).is_file():
        if _has_network_history(run):
            raise MtlError(
                f"{path}: the training of independent networks for a comparison was interrupted; repeat its command "
                "with the same --out to continue it"
            )
        return run
    tasks = [str(task["name"]) for task in run.read_state()["tasks"]]
    raise MtlError(
        f"{path}: contains {len(tasks)} independent networks, which were trained at once for a comparison, and not "
        f"one network; train the network of one task in a run of its own: "
        f'`mtl run {run.config} --set "active_tasks=[{tasks[0]}]" --out NEW`'
    )


def write_history(run: RunDirectory, epochs: Sequence[NetworkEpoch]) -> None:
    """Write `history.csv`, with one row per network and epoch."""
    buffer = StringIO()
    writer = csv.DictWriter(buffer, [field.name for field in fields(NetworkEpoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(epoch) for epoch in epochs)
    write_text_atomically(run.history, buffer.getvalue())


def _has_network_history(run: RunDirectory) -> bool:
    """Return whether `history.csv` has rows per network; it is written, without rows, before the training."""
    if not run.history.is_file():
        return False
    with run.history.open(encoding="utf-8") as file:
        return file.readline().startswith(f"{fields(NetworkEpoch)[0].name},")
