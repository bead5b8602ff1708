"""Data for experiments from Python."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from mtl_core.api.blocks import Part, build_block
from mtl_core.config.name_patterns import expand_range, is_pattern, match_pattern
from mtl_core.data.corpus import SplitName
from mtl_core.data.memory_tables import MemoryTables
from mtl_core.data.python_tables import Columns, read_columns
from mtl_core.data.sparse_row import is_sparse_matrix
from mtl_core.data.torch_datasets import read_dataset
from mtl_core.errors import MtlError, did_you_mean, join_names

DEFAULT_TEST_FRACTION = 0.2
"""Fraction of the examples that is held out as test data if none is handed in."""


class Data:
    """Labelled examples: inputs by column, label columns, and how they are split.

    Build it with `from_frame`, `from_arrays`, `from_dataset` or `from_file`.

    Attributes:
        inputs: Input column to its type: `text`, `number`, `category`, `multi-category`, `date`, `image`, `array` or
            `sparse`.
        labels: The label columns.

    Example:
        >>> data = Data.from_frame(
        ...     {"size": [1.0, 2.0, 3.0], "colour": ["red", "red", None]}, inputs={"size": "number"}, labels=["colour"]
        ... )
        >>> data
        Data(3 rows, inputs: size (number), labels: colour)
    """

    def __init__(
        self, inputs: Mapping[str, str], labels: Sequence[str], loader: Mapping[str, Any], splitter: Part | None
    ) -> None:
        self.inputs = dict(inputs)
        self.labels = list(labels)
        self._loader = dict(loader)
        self._splitter = splitter

    @classmethod
    def from_frame(
        cls,
        frame: Any,
        inputs: Mapping[str, str],
        labels: Sequence[str],
        *,
        validation: Any = None,
        test: Any = None,
        splitter: Part | None = None,
        split_column: str | None = None,
        id_column: str | None = None,
        weight_columns: Mapping[str, str] | None = None,
        metadata: Sequence[str] = (),
        missing: Sequence[str] = ("",),
    ) -> Data:
        """Build data from a table. NaN, `None`, `pd.NA` and `NaT` are missing labels.

        Args:
            frame: The training data: a pandas, Polars or Arrow table, a Hugging Face `Dataset`, a dict of columns or
                a list of dicts.
            inputs: Input column to its type: `text`, `number`, `category`, `multi-category`, `date`, `image`, `array`,
                `sparse`.
            labels: The label columns: names, patterns (`"ACEA_*"`) and ranges (`"y{0..9}"`).
            validation: A table of validation data; without it, validation data is split off.
            test: A table of test data; without it, a fifth of the examples is held out, unless `splitter` is given.
            splitter: How `frame` is split: the name of a splitter, a block such as `{"type": "group", "column":
                "user"}`, or a spec.
            split_column: The column with the split of each row (`train`, `validation` or `test`).
            id_column: The column of ids; rows are numbered without it.
            weight_columns: Label column to the column of weights of its labels.
            metadata: Columns that splitters read.
            missing: Texts that also mark a missing label.

        Raises:
            MtlError: If a table has no rows, a column is missing or both an input and a label, or two have one name.
        """
        tables: dict[SplitName, Columns] = {"train": _read_table(frame, "train")}
        if validation is not None:
            tables["validation"] = _read_table(validation, "validation")
        if test is not None:
            tables["test"] = _read_table(test, "test")
        labels, inputs = _check_names(labels, "labels"), _check_inputs(inputs)
        other_uses = {id_column, split_column, *metadata, *(weight_columns or {}).values()}
        labels = _expand_labels(labels, list(tables["train"]), other_uses)
        _check_columns(inputs, labels, list(tables["train"]))
        memory = MemoryTables(tables)
        loader = {
            "type": "memory",
            "inputs": inputs,
            "labels": labels,
            "metadata": list(metadata),
            "id": id_column,
            "split": split_column,
            "weights": dict(weight_columns or {}),
            "missing": list(missing),
            "digest": memory.compute_digest(),
            "tables": memory,
        }
        has_test = test is not None or split_column is not None
        return cls(inputs, labels, loader, splitter if splitter is not None else _build_default_splitter(has_test))

    @classmethod
    def from_arrays(
        cls,
        inputs: Any,
        labels: Mapping[str, Any],
        *,
        types: Mapping[str, str] | None = None,
        validation: tuple[Any, Mapping[str, Any]] | None = None,
        test: tuple[Any, Mapping[str, Any]] | None = None,
        splitter: Part | None = None,
    ) -> Data:
        """Build data from NumPy arrays, tensors or sparse matrices of SciPy, whose first dimension is the example.

        Args:
            inputs: One array, or a dict of arrays by input name.
            labels: Task name to an array or list of labels; NaN and None are missing labels.
            types: Input name to its type; `array` by default, `number` for an array of one dimension, `sparse` for a
                sparse matrix.
            validation: Inputs and labels of the validation data.
            test: Inputs and labels of the test data; without them, a fifth of the examples is held out, unless
                `splitter` is given.
            splitter: How the training data is split.

        Raises:
            MtlError: If the numbers of examples differ, or there are none.

        Example:
            >>> import numpy as np
            >>> Data.from_arrays(np.zeros((4, 3)), {"parity": [0, 1, 0, np.nan]})
            Data(4 rows, inputs: input (array), labels: parity)
        """
        if not isinstance(labels, Mapping):
            raise MtlError(
                f"labels: expected a dict of arrays by task name, such as {{'topic': y}}, found {type(labels).__name__}"
            )
        train = _name_inputs(inputs)
        for name in labels:
            if name in train:
                raise MtlError(f"'{name}' is both an input and a label")
        resolved_types = {name: _find_type(name, values, types or {}) for name, values in train.items()}
        tables = {"frame": {**train, **labels}, "validation": None, "test": None}
        for split_name, pair in (("validation", validation), ("test", test)):
            if pair is not None:
                tables[split_name] = {**_name_inputs(pair[0]), **pair[1]}
        return cls.from_frame(
            tables["frame"],
            resolved_types,
            list(labels),
            validation=tables["validation"],
            test=tables["test"],
            splitter=splitter,
        )

    @classmethod
    def from_dataset(
        cls,
        dataset: Any,
        inputs: Mapping[str, str],
        labels: Sequence[str],
        *,
        validation: Any = None,
        test: Any = None,
        splitter: Part | None = None,
    ) -> Data:
        """Build data from a `torch.utils.data.Dataset`, which is read once.

        Args:
            dataset: Its items are dicts by column, or pairs of an input and its labels: one label, a dict by task, or
                a sequence in the order of `labels`.
            inputs: Input column to its type; one column for pairs.
            labels: The label columns.
            validation: A data set of validation data.
            test: A data set of test data; without it, a fifth of the examples is held out, unless `splitter` is given.
            splitter: How the training data is split.

        Raises:
            MtlError: If an item is neither a dict nor a pair.
        """
        columns, labels = list(_check_inputs(inputs)), _check_names(labels, "labels")
        tables = [None if one is None else read_dataset(one, columns, labels) for one in (dataset, validation, test)]
        return cls.from_frame(tables[0], inputs, labels, validation=tables[1], test=tables[2], splitter=splitter)

    @classmethod
    def from_file(
        cls,
        train: str | Path,
        inputs: Mapping[str, str],
        labels: Sequence[str],
        *,
        validation: str | Path | None = None,
        test: str | Path | None = None,
        splitter: Part | None = None,
        split_column: str | None = None,
        id_column: str | None = None,
        weight_columns: Mapping[str, str] | None = None,
        metadata: Sequence[str] = (),
        missing: Sequence[str] = ("",),
    ) -> Data:
        """Build data from CSV, TSV, JSON Lines or Parquet files, as the loader `table` reads them in YAML.

        Args:
            train: The training file.
            inputs: Input column to its type.
            labels: The label columns: names, patterns (`"ACEA_*"`) and ranges (`"y{0..9}"`).
            validation: The validation file; without it, validation data is split off the training file.
            test: The test file; without it, a fifth of the examples is held out, unless `splitter` is given.
            splitter: How the training file is split.
            split_column: The column with the split of each row.
            id_column: The column of ids; rows are numbered without it.
            weight_columns: Label column to the column of weights of its labels.
            metadata: Columns that splitters read.
            missing: Texts that mark a missing label.
        """
        labels, inputs = _check_names(labels, "labels"), _check_inputs(inputs)
        loader: dict[str, Any] = {
            "type": "table",
            "train": str(train),
            "inputs": inputs,
            "labels": labels,
            "missing": list(missing),
        }
        optional: dict[str, Any] = {
            "validation": None if validation is None else str(validation),
            "test": None if test is None else str(test),
            "split": split_column,
            "id": id_column,
            "weights": dict(weight_columns or {}),
            "metadata": list(metadata),
        }
        loader |= {key: value for key, value in optional.items() if value}
        has_test = test is not None or split_column is not None
        return cls(inputs, labels, loader, splitter if splitter is not None else _build_default_splitter(has_test))

    def build_blocks(self) -> dict[str, Any]:
        """Return the keys `data` and `split` of the experiment."""
        blocks: dict[str, Any] = {"data": dict(self._loader)}
        if self._splitter is not None:
            blocks["split"] = build_block(self._splitter, "split", "splitters").value
        return blocks

    def __repr__(self) -> str:
        rows = self._loader["tables"].n_rows if "tables" in self._loader else self._loader["train"]
        inputs = ", ".join(f"{name} ({kind})" for name, kind in self.inputs.items())
        unit = " rows" if isinstance(rows, int) else ""
        return f"Data({rows}{unit}, inputs: {inputs}, labels: {join_names(self.labels)})"


def _build_default_splitter(has_test: bool) -> Part | None:
    return None if has_test else {"type": "stratified", "test": DEFAULT_TEST_FRACTION}


def _read_table(table: Any, split_name: str) -> Columns:
    if isinstance(table, str | Path):
        raise MtlError(f"expected a table in memory, found '{table}'; `mtl.Data.from_file('{table}', …)` reads a file")
    try:
        return read_columns(table)
    except MtlError as error:
        raise MtlError(f"{split_name} data: {error}") from error


def _check_inputs(inputs: Any) -> dict[str, str]:
    if not isinstance(inputs, Mapping) or not inputs:
        raise MtlError(f"inputs: expected a dict of column types, such as {{'review': 'text'}}, found {inputs!r}")
    return {str(name): kind for name, kind in inputs.items()}


def _check_names(names: Any, argument: str) -> list[str]:
    if isinstance(names, str) or not isinstance(names, Sequence):
        raise MtlError(f"{argument}: expected a list of column names, such as ['topic'], found {names!r}")
    return list(names)


def _expand_labels(entries: Sequence[str], columns: Sequence[str], other_uses: Collection[str | None]) -> list[str]:
    """Return the label columns of names, patterns and ranges; patterns match no columns with another use."""
    candidates = [name for name in columns if name not in other_uses]
    labels: list[str] = []
    for entry in entries:
        if entry in columns:
            labels.append(entry)
        elif is_pattern(entry):
            try:
                labels += match_pattern(entry, candidates, "column")
            except MtlError as error:
                raise MtlError(f"labels: {error}") from error
        else:
            labels += expand_range(entry)
    return list(dict.fromkeys(labels))


def _check_columns(inputs: Mapping[str, str], labels: Sequence[str], columns: Sequence[str]) -> None:
    for name in labels:
        if name in inputs:
            raise MtlError(f"the column '{name}' is both an input and a label")
    for argument, names in (("inputs", inputs), ("labels", labels)):
        for name in names:
            if name not in columns:
                raise MtlError(
                    f"{argument}: the table has no column '{name}'{did_you_mean(name, columns)} "
                    f"(columns: {join_names(columns)})"
                )


def _name_inputs(inputs: Any) -> dict[str, Any]:
    return dict(inputs) if isinstance(inputs, Mapping) else {"input": inputs}


def _find_type(name: str, values: Any, types: Mapping[str, str]) -> str:
    if name in types:
        return types[name]
    if is_sparse_matrix(values):
        return "sparse"
    return "number" if getattr(values, "ndim", 2) == 1 else "array"
