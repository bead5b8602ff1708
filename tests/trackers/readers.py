"""Read the files that trackers write, with the reader of each tracker's package where one exists."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Series = dict[str, list[tuple[int, float]]]
"""Name to pairs of step and value, in the order of writing."""


def tensorboard_series(folder: Path) -> Series:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(one.step, one.value) for one in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def tensorboard_config(folder: Path) -> dict[str, Any]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    events = EventAccumulator(str(folder))
    events.Reload()
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    found = metadata.parse_session_start_info_plugin_data(content).hparams
    return {key: getattr(value, value.WhichOneof("kind")) for key, value in found.items()}


def mlflow_runs(folder: Path) -> list[Any]:
    """Return the runs of an MLflow store, newest first."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    return list(client.search_runs([one.experiment_id for one in client.search_experiments()]))


def mlflow_series(folder: Path, run: Any) -> Series:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    found = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    return {name: [(one.step, one.value) for one in history] for name, history in found.items()}


def wandb_records(path: Path) -> Iterator[Any]:
    """Yield the records of an offline run. The file is a LevelDB log with a longer header."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, place, whole = path.read_bytes(), 7, b""
    while place < len(data):
        left = 32_768 - place % 32_768
        if left < 7:
            place += left
            continue
        size, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        whole += data[place + 7 : place + 7 + size]
        place += 7 + size
        if kind in {1, 4}:  # a complete record, or its last fragment
            record = Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


def wandb_series(path: Path) -> Series:
    found: Series = {}
    for record in wandb_records(path):
        if record.WhichOneof("record_type") == "history":
            for item in record.history.item:
                name = item.key or ".".join(item.nested_key)
                if not name.startswith("_"):
                    found.setdefault(name, []).append((record.history.step.num, float(item.value_json)))
    return found


def close(found: Series, wanted: Mapping[str, list[tuple[int, float]]]) -> bool:
    """Return whether two sets of series are equal up to float32 precision, which TensorBoard stores."""
    return found.keys() == wanted.keys() and all(
        [step for step, _ in found[name]] == [step for step, _ in wanted[name]]
        and all(
            abs(a - b) <= 1e-6 * max(1, abs(b)) for (_, a), (_, b) in zip(found[name], wanted[name], strict=True)
        )
        for name in wanted
    )
