"""Predictions for tables, texts and arrays in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from mtl_core.api.metrics import build_html_table, import_pandas
from mtl_core.artifacts.many_tasks import MAX_LISTED_TASKS, has_many_tasks
from mtl_core.data.python_tables import read_columns
from mtl_core.data.sparse_row import is_sparse_matrix, split_sparse_matrix
from mtl_core.errors import MtlError, join_names
from mtl_core.runs.predict_inputs import predict_batch
from mtl_core.runs.prediction import Prediction
from mtl_core.runs.saved_run import SavedRun

if TYPE_CHECKING:
    import pandas as pd

MAX_DISPLAYED_ROWS = 20
"""Maximum number of rows that a notebook shows."""


class Predictions(Sequence[Prediction]):
    """The predictions for several inputs, in their order.

    Args:
        predictions: One prediction per input.
    """

    def __init__(self, predictions: Sequence[Prediction]) -> None:
        self._predictions = list(predictions)

    @overload
    def __getitem__(self, index: int) -> Prediction: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Prediction]: ...
    def __getitem__(self, index: int | slice) -> Prediction | Sequence[Prediction]:
        """Return the prediction for an input, or those for a slice."""
        return self._predictions[index]

    def __len__(self) -> int:
        return len(self._predictions)

    def to_records(self) -> list[dict[str, Any]]:
        """Return the predictions as JSON objects, as in `predictions.jsonl`."""
        return [prediction.to_record() for prediction in self]

    def to_frame(self, probabilities: bool = False) -> pd.DataFrame:
        """Return a pandas table with one row per input and one column of labels per task.

        Args:
            probabilities: Whether to add a column `TASK.CLASS` with the probability of each class.
        """
        frame: pd.DataFrame = import_pandas().DataFrame(self._build_rows(probabilities))
        return frame

    def _build_rows(self, probabilities: bool) -> list[dict[str, Any]]:
        rows = []
        for prediction in self:
            row: dict[str, Any] = {}
            for name, task in prediction.tasks.items():
                row[name] = task.label
                if probabilities:
                    row |= {f"{name}.{label}": value for label, value in task.probabilities.items()}
            rows.append(row)
        return rows

    def __repr__(self) -> str:
        return f"Predictions({len(self)} inputs, tasks: {join_names(self[0].tasks) if len(self) else 'none'})"

    def _repr_html_(self) -> str:
        rows = self._build_rows(probabilities=False)[:MAX_DISPLAYED_ROWS]
        names = list(dict.fromkeys(name for row in rows for name in row))
        header = names[:MAX_LISTED_TASKS] if has_many_tasks(len(names)) else names
        table = build_html_table(header, [[str(row.get(name, "")) for name in header] for row in rows])
        return table if header == names else f"{table}<p>{len(names) - len(header)} more tasks</p>"


def predict_inputs(saved_run: SavedRun, inputs: Any, attention: bool) -> Predictions:
    """Predict the labels of inputs in memory.

    Args:
        saved_run: The run.
        inputs: A table with the input columns, a list of texts, or an array of the only input.
        attention: Whether to add tokens and attention weights.

    Raises:
        MtlError: If inputs are of another type, a column is missing, or a cell does not fit its type.
    """
    if isinstance(inputs, str):
        raise MtlError(f"predict: expected several inputs, found one text; predict([{inputs[:40]!r}])")
    return Predictions(list(predict_batch(saved_run, _convert_inputs(saved_run, inputs), attention)))


def _convert_inputs(saved_run: SavedRun, inputs: Any) -> list[object]:
    loader = saved_run.get_loader()
    types = loader.input_types
    if is_sparse_matrix(inputs):
        inputs = split_sparse_matrix(inputs)
    if _is_list_of_texts(inputs):
        return [_convert(index, text, loader.from_text) for index, text in enumerate(inputs)]
    if not types:
        raise MtlError(
            f"predict: the loader '{loader.type}' of this run reads texts: predict(['a text', …]); found a "
            f"{type(inputs).__name__}"
        )
    if len(types) == 1 and _is_array(inputs):
        name = next(iter(types))
        return [_convert(index, {name: value}, loader.from_row) for index, value in enumerate(inputs)]
    columns = read_columns(inputs)
    rows = zip(*columns.values(), strict=True)
    return [
        _convert(index, dict(zip(columns, cells, strict=True)), loader.from_row) for index, cells in enumerate(rows)
    ]


def _convert(index: int, value: Any, convert: Callable[[Any], object]) -> object:
    try:
        return convert(value)
    except MtlError as error:
        raise MtlError(f"row {index}: {error}") from error


def _is_list_of_texts(inputs: Any) -> bool:
    return isinstance(inputs, Sequence) and bool(inputs) and all(isinstance(one, str) for one in inputs)


def _is_array(inputs: Any) -> bool:
    if isinstance(inputs, np.ndarray) or hasattr(inputs, "detach"):
        return True
    return isinstance(inputs, Sequence) and bool(inputs) and not isinstance(inputs[0], Mapping)
