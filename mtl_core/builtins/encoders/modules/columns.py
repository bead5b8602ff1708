"""The encoder of several input columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mtl_core.builtins.encoders.modules.columns_input import ColumnBatch, ColumnsInput
from mtl_core.builtins.encoders.modules.nullable import NullableEncoder
from mtl_core.data.column_encoder import ColumnEncoder
from mtl_core.data.encoder import Encoder
from mtl_core.data.files.cells import format_cell
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.specs import FusionSpec

Row = tuple[Any, ...]
"""The parsed cells, or the items, of a row, in the order of the columns."""


class ColumnsEncoder(Encoder[Row, Row]):
    """One encoder per column. Inputs are mappings of column to cell, None where the cell is missing.

    Words, tokens and ids are those of the column whose encoder returns words, if there is exactly one.

    Args:
        encoders: Column to encoder.
        fusion: The fusion of the columns' features; None selects it by their features.
        required: The columns whose cells must not be missing.
    """

    def __init__(
        self, encoders: Mapping[str, Encoder[Any, Any]], fusion: FusionSpec | None, required: frozenset[str]
    ) -> None:
        self._encoders: dict[str, Encoder[Any, Any]] = {
            name: encoder if isinstance(encoder, ColumnEncoder) else NullableEncoder(encoder)
            for name, encoder in encoders.items()
        }
        self._fusion = fusion
        self._required = required
        token_columns = [name for name, encoder in encoders.items() if type(encoder).words is not Encoder.words]
        self._token_column = token_columns[0] if len(token_columns) == 1 else None
        self._token_index = list(encoders).index(self._token_column) if self._token_column is not None else 0

    def parse(self, inputs: Sequence[Any]) -> list[Row]:
        """Parse the cells of each column.

        Raises:
            MtlError: If an input is no mapping, a column or a required cell is missing, or a cell cannot be parsed.
                The message names the column.
        """
        for value in inputs:
            self._validate_row(value)
        columns = []
        for name, encoder in self._encoders.items():
            with _name_column(name):
                columns.append(encoder.parse([value[name] for value in inputs]))
        return list(zip(*columns, strict=True))

    def is_empty(self, parsed: Row) -> bool:
        """Return whether all cells are missing."""
        return all(encoder.is_empty(cell) for encoder, cell in zip(self._encoders.values(), parsed, strict=True))

    def fit(self, parsed: Iterable[Row]) -> None:
        """Fit the encoder of every column, in one pass if at most one of them is no `ColumnEncoder`."""
        others = [name for name, encoder in self._encoders.items() if not isinstance(encoder, ColumnEncoder)]
        rows = list(parsed) if len(others) > 1 and isinstance(parsed, Iterator) else parsed
        cells = self._partial_fit(rows, others[0] if others else None)
        if others:
            with _name_column(others[0]):
                self._encoders[others[0]].fit(cells)
        for _ in cells:  # the rest of the rows: all of them if no encoder has read them
            pass
        for index, (name, encoder) in enumerate(self._encoders.items()):
            with _name_column(name):
                if isinstance(encoder, ColumnEncoder):
                    encoder.finish_fit()
                elif name in others[1:]:
                    encoder.fit(row[index] for row in rows)

    def _partial_fit(self, rows: Iterable[Row], name: str | None) -> Iterator[Any]:
        """Fit the column encoders to each row while yielding the cells of another column."""
        encoders = [
            (index, encoder)
            for index, encoder in enumerate(self._encoders.values())
            if isinstance(encoder, ColumnEncoder)
        ]
        cell_index = list(self._encoders).index(name) if name is not None else 0
        for row in rows:
            for index, encoder in encoders:
                encoder.partial_fit(row[index])
            yield row[cell_index]

    def encode(self, parsed: Sequence[Row]) -> list[Row]:
        """Encode the cells of each column."""
        columns = []
        for index, (name, encoder) in enumerate(self._encoders.items()):
            with _name_column(name):
                columns.append(encoder.encode([row[index] for row in parsed]))
        return list(zip(*columns, strict=True))

    def length(self, item: Row) -> int:
        """Return the length of the longest cell."""
        return max(encoder.length(cell) for encoder, cell in zip(self._encoders.values(), item, strict=True))

    def collate(self, items: Sequence[Row]) -> ColumnBatch:
        """Collate each column."""
        cells = zip(self._encoders.items(), zip(*items, strict=True), strict=True)
        return ColumnBatch({name: encoder.collate(column) for (name, encoder), column in cells})

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) of the images of the first column with images; None if there is none."""
        return next((encoder.image_size for encoder in self._encoders.values() if encoder.image_size), None)

    def thumbnail(self, parsed: Row) -> NDArray[np.uint8] | None:
        """Return the thumbnail of the first column with an image; None if there is none."""
        cells = zip(self._encoders.values(), parsed, strict=True)
        thumbnails = (encoder.thumbnail(cell) for encoder, cell in cells)
        return next((thumbnail for thumbnail in thumbnails if thumbnail is not None), None)

    def prefetch(self, items: Sequence[Row]) -> None:
        """Start to load the items of each column."""
        for encoder, cells in zip(self._encoders.values(), zip(*items, strict=True), strict=False):
            encoder.prefetch(cells)

    def augment(self, inputs: ColumnBatch) -> tuple[ColumnBatch, torch.Tensor | None]:
        """Augment each column; labels per pixel follow the first column with images."""
        augmented = {name: encoder.augment(inputs.columns[name]) for name, encoder in self._encoders.items()}
        sources = (augmented[name][1] for name, encoder in self._encoders.items() if encoder.image_size)
        return ColumnBatch({name: batch for name, (batch, _) in augmented.items()}), next(sources, None)

    def input_layer(self) -> nn.Module:
        """Build the input layer of each column, and the fusion."""
        return ColumnsInput({name: encoder.input_layer() for name, encoder in self._encoders.items()}, self._fusion)

    def unload(self) -> None:
        """Free large resources of all encoders."""
        for encoder in self._encoders.values():
            encoder.unload()

    def words(self, parsed: Row) -> list[str]:
        """Return the words of the token column."""
        return self._token_encoder.words(parsed[self._token_index]) if self._token_column is not None else []

    def token_to_word(self, parsed: Row) -> list[int]:
        """Return the word of each token of the token column."""
        return self._token_encoder.token_to_word(parsed[self._token_index]) if self._token_column is not None else []

    def tokens(self, parsed: Row) -> list[str]:
        """Return the tokens of the token column."""
        return self._token_encoder.tokens(parsed[self._token_index]) if self._token_column is not None else []

    def subword_to_token(self, parsed: Row) -> Sequence[int] | None:
        """Return the token of each subword of the token column."""
        if self._token_column is None:
            return None
        return self._token_encoder.subword_to_token(parsed[self._token_index])

    @property
    def vocabulary(self) -> Sequence[str]:
        """The vocabulary of the token column."""
        return self._token_encoder.vocabulary if self._token_column is not None else ()

    def token_ids(self, inputs: ColumnBatch) -> torch.Tensor:
        """Return the ids of the token column, `(batch, length)`, int64.

        Raises:
            MtlError: If no column, or more than one, has tokens.
        """
        return self._token_encoder.token_ids(inputs.columns[self._require_token_column()])

    def mask_tokens(self, inputs: ColumnBatch, token_mask: torch.Tensor) -> ColumnBatch:
        """Mask tokens of the token column.

        Raises:
            MtlError: If no column, or more than one, has tokens.
        """
        name = self._require_token_column()
        masked = self._token_encoder.mask_tokens(inputs.columns[name], token_mask)
        return ColumnBatch({**inputs.columns, name: masked})

    def state(self) -> dict[str, Any]:
        """Return the state of each column's encoder."""
        return {"columns": {name: encoder.state() for name, encoder in self._encoders.items()}}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore each column's encoder."""
        for name, encoder in self._encoders.items():
            encoder.restore(state["columns"][name])

    @property
    def _token_encoder(self) -> Encoder[Any, Any]:
        return self._encoders[self._require_token_column()]

    def _require_token_column(self) -> str:
        if self._token_column is None:
            raise MtlError(
                "a task that reads tokens needs exactly one column of tokens; "
                f"the columns are {join_names(self._encoders)}"
            )
        return self._token_column

    def _validate_row(self, value: object) -> None:
        if not isinstance(value, Mapping):
            raise MtlError(f"the encoder 'columns' reads rows of cells by column, found {format_cell(value)}")
        for name in self._encoders:
            if name not in value:
                raise MtlError(f"no column '{name}'{did_you_mean(name, value)} (columns: {join_names(value)})")
            if value[name] is None and name in self._required:
                raise MtlError(f"column '{name}': the cell is missing")


@contextmanager
def _name_column(name: str) -> Iterator[None]:
    """Add the column to the message of an error."""
    try:
        yield
    except MtlError as error:
        message = str(error)
        raise MtlError(message if message.startswith("column '") else f"column '{name}': {message}") from error
