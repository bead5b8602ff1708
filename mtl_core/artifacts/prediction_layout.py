"""The layout of compact prediction files: a description as JSON, and named arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.prediction_arrays import GroupArrays, PredictionArrays

LAYOUT_KEY = "predictions"
"""The key of the description in the metadata of a file."""
LAYOUT_VERSION = 1


def dump_layout(predictions: PredictionArrays) -> str:
    """Return the description of predictions as JSON: everything except the arrays and the ids."""
    groups = [
        {
            "kind": group.kind,
            "form": group.form,
            "tasks": list(group.tasks),
            "classes": _share_equal(group.classes),
            "other_labels": _share_equal(group.other_labels),
        }
        for group in predictions.groups
    ]
    layout = {"version": LAYOUT_VERSION, "split": predictions.split, "groups": groups}
    return json.dumps({**layout, "samples": list(predictions.samples)}, ensure_ascii=False)


def load_layout(text: str) -> dict[str, Any]:
    """Parse a description.

    Raises:
        ValueError: If it is no description, or one of another version.
    """
    layout = json.loads(text)
    if layout["version"] != LAYOUT_VERSION:
        raise ValueError(f"layout version {layout['version']}, this installation reads version {LAYOUT_VERSION}")
    parsed: dict[str, Any] = layout
    return parsed


def list_arrays(group: GroupArrays) -> Iterator[tuple[str, NDArray[Any]]]:
    """Yield the name and the values of each array of a group in its smallest form."""
    yield "labels", _shrink_codes(group.labels) if group.form == "class" else group.labels
    if group.probabilities is not None:
        # Two probabilities sum to 1.
        is_pair = group.form == "class" and group.probabilities.shape[2] == 2
        yield "probabilities", np.ascontiguousarray(group.probabilities[:, :, 1] if is_pair else group.probabilities)
    if group.gold is not None:
        yield "gold", _shrink_codes(group.gold) if group.form == "class" else group.gold


def build_group(entry: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> GroupArrays:
    """Build a group from its description and its arrays.

    Raises:
        KeyError: If a key or an array is missing.
    """
    n_tasks = len(entry["tasks"])
    probabilities = arrays.get("probabilities")
    if probabilities is not None and probabilities.ndim == 2:
        probabilities = np.stack([1 - probabilities, probabilities], axis=2)
    return GroupArrays(
        str(entry["kind"]),
        entry["tasks"],
        repeat_names(entry["classes"], n_tasks),
        repeat_names(entry["other_labels"], n_tasks),
        arrays["labels"],
        probabilities,
        arrays.get("gold"),
    )


def _shrink_codes(codes: NDArray[Any]) -> NDArray[Any]:
    """Return codes in the smallest signed type that contains them."""
    highest = int(codes.max(initial=0))
    smallest = next(dtype for dtype in (np.int8, np.int16, np.int32) if highest <= np.iinfo(dtype).max)
    return codes.astype(smallest)


def _share_equal(names: Sequence[Sequence[str]]) -> list[Any]:
    """Return one list of names if they are equal for all tasks, else a list of lists."""
    lists = [list(one) for one in names]
    return lists[0] if lists and all(one == lists[0] for one in lists) else lists


def repeat_names(names: Sequence[Any], n_tasks: int) -> list[list[str]]:
    """Return one list of names per task, where a file has one list for all tasks if they are equal."""
    if names and isinstance(names[0], list):
        return [list(one) for one in names]
    return [list(names)] * n_tasks
