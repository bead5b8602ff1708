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
    omit: list[ColumnName] = []
    """Columns that the network does not read, to compare networks with and without them."""

    @model_validator(mode="after")
    def _validate_names(self) -> Columns:
        names_by_key = {"missing": list(self.missing) if isinstance(self.missing, dict) else [], "omit": self.omit}
        for key, names in names_by_key.items():
            for name in names:
                if name not in self.columns:
                    raise ValueError(
                        f"`{key}` names '{name}', which is not a column{did_you_mean(name, self.columns)} "
                        f"(columns: {join_names(self.columns)})"
                    )
        if set(self.omit) == set(self.columns):
            raise ValueError("`omit` names all columns, so no input is left")
        return self

    def build(self) -> ColumnsEncoder:
        """Build the encoder."""
        from mtl_core.builtins.encoders.modules.columns import ColumnsEncoder

        missing = self.missing if isinstance(self.missing, dict) else dict.fromkeys(self.columns, self.missing)
        return ColumnsEncoder(
            {name: spec.build() for name, spec in self.columns.items() if name not in self.omit},
            self.fusion,
            frozenset(name for name, policy in missing.items() if policy == "error"),
        )
