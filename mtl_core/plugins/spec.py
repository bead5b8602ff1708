"""The base class of all specs.

A spec is both the schema of a YAML block and a factory: its fields are the keys, its docstring is the
documentation, `build` (or `load`, `split`) is the factory. Values that are known only at run time are arguments of
`build`. A module that declares specs does not import torch: implementations are imported inside `build`.
"""

from collections.abc import Sequence
from typing import Literal

from mtl_core.plugins.strict_model import StrictModel

Level = Literal["example", "token", "pixel"]
"""Whether there is one label (and one output) per example, per token, or per pixel of an image."""
LEVELS: tuple[Level, ...] = ("example", "token", "pixel")

Layout = Literal["vector", "sequence", "spatial"]
"""Whether features are one vector per example, one per token, or one per position of an image."""
LAYOUTS: tuple[Layout, ...] = ("vector", "sequence", "spatial")


class Spec(StrictModel):
    """A YAML block with a `type:`, and the factory of the part that it describes.

    A subclass declares `type` as a literal with a default: `type: Literal["bilstm"] = "bilstm"`.
    """

    type: str

    @classmethod
    def type_name(cls) -> str:
        """Return the name that selects this spec in YAML."""
        return str(cls.model_fields["type"].default)

    @classmethod
    def unknown_key_message(cls, key: str) -> str:
        """Add the type to the message, since keys of the previous type often remain when a type is changed."""
        return super().unknown_key_message(key).replace("keys here:", f"keys of type '{cls.type_name()}':")

    def list_licence_notes(self) -> Sequence[str]:
        """Return notes on the licences of the data or weights of this part, one sentence each, for model cards."""
        return ()

    def list_packages(self) -> Sequence[str]:
        """Return the names of distributions whose versions affect the results of this part, besides its own.

        A run records the versions of those that are installed in `provenance.json`.
        """
        return ()
