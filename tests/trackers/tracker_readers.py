"""Read the files that trackers write, with the reader of each tracker's package where one exists."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Series = dict[str, list[tuple[int, float]]]
"""Name to pairs of step and value, in the order of writing."""


def read_tensorboard_series(folder: Path) -> Series:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def read_tensorboard_config(folder: Path) -> dict[str, Any]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.plugins.hparams import metadata

    events = EventAccumulator(str(folder))
    events.Reload()
    content = events.SummaryMetadata(metadata.SESSION_START_INFO_TAG).plugin_data.content
    hparams = metadata.parse_session_start_info_plugin_data(content).hparams
    return {key: getattr(value, value.WhichOneof("kind")) for key, value in hparams.items()}


def list_mlflow_runs(folder: Path) -> list[Any]:
    """Return the runs of an MLflow store, newest first."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    return list(client.search_runs([experiment.experiment_id for experiment in client.search_experiments()]))


def read_mlflow_series(folder: Path, run: Any) -> Series:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    histories = {name: client.get_metric_history(run.info.run_id, name) for name in run.data.metrics}
    return {name: [(metric.step, metric.value) for metric in history] for name, history in histories.items()}


def read_wandb_records(path: Path) -> Iterator[Any]:
    """Yield the records of an offline run. The file is a LevelDB log with a longer header."""
    from wandb.proto.wandb_internal_pb2 import Record

    data, offset, record_bytes = path.read_bytes(), 7, b""
    while offset < len(data):
        bytes_left = 32_768 - offset % 32_768
        if bytes_left < 7:
            offset += bytes_left
            continue
        size, kind = int.from_bytes(data[offset + 4 : offset + 6], "little"), data[offset + 6]
        record_bytes += data[offset + 7 : offset + 7 + size]
        offset += 7 + size
        if kind in {1, 4}:  # a complete record, or its last fragment
            record = Record()
            record.ParseFromString(record_bytes)
            record_bytes = b""
            yield record


def read_wandb_series(path: Path) -> Series:
    series: Series = {}
    for record in read_wandb_records(path):
        if record.WhichOneof("record_type") == "history":
            for item in record.history.item:
                name = item.key or ".".join(item.nested_key)
                if not name.startswith("_"):
                    series.setdefault(name, []).append((record.history.step.num, float(item.value_json)))
    return series


def is_close(series: Series, expected: Mapping[str, list[tuple[int, float]]]) -> bool:
    """Return whether two sets of series are equal up to float32 precision, which TensorBoard stores."""
    return series.keys() == expected.keys() and all(
        [step for step, _ in series[name]] == [step for step, _ in expected[name]]
        and all(
            abs(a - b) <= 1e-6 * max(1, abs(b)) for (_, a), (_, b) in zip(series[name], expected[name], strict=True)
        )
        for name in expected
    )
