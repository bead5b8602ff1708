"""The encoder of several input columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator

from mtl_core.errors import did_you_mean, join_names
from mtl_core.plugins.spec_fields import EncoderField, FusionField
from mtl_core.plugins.specs import EncoderSpec

if TYPE_CHECKING:
    from mtl_core.builtins.encoders.modules.columns import ColumnsEncoder

ColumnName = Annotated[str, Field(min_length=1)]
Missing = Literal["learn", "error"]


class Columns(EncoderSpec):
    """Several input columns: each has its own encoder, and a fusion joins their features.

    Columns that the loader declares and that are left out here have the default encoder of their column type, and a
    block without `type:` sets keys of it.
    """

    type: Literal["columns"] = "columns"
    columns: Annotated[dict[ColumnName, EncoderField], Field(min_length=1)]
    """Column: its encoder."""
    fusion: FusionField | None = None
    """How the features of the columns are joined; null is `broadcast` if exactly one column has tokens or positions,
    otherwise `concatenate`."""
    missing: Missing | dict[ColumnName, Missing] = "learn"
    """Missing cells: `learn` replaces them by learned values, `error` refuses them; or column: one of both."""

    @model_validator(mode="after")
    def _validate_missing(self) -> Columns:
        for name in self.missing if isinstance(self.missing, dict) else ():
            if name not in self.columns:
                raise ValueError(
                    f"`missing` names '{name}', which is not a column{did_you_mean(name, self.columns)} "
                    f"(columns: {join_names(self.columns)})"
                )
        return self

    def build(self) -> ColumnsEncoder:
        """Build the encoder."""
        from mtl_core.builtins.encoders.modules.columns import ColumnsEncoder

        missing = self.missing if isinstance(self.missing, dict) else dict.fromkeys(self.columns, self.missing)
        return ColumnsEncoder(
            {name: spec.build() for name, spec in self.columns.items()},
            self.fusion,
            frozenset(name for name, policy in missing.items() if policy == "error"),
        )
