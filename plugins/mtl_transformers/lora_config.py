"""The settings of LoRA adapters."""

from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt

from mtl_core import Probability, StrictModel


class Lora(StrictModel):
    """Low-rank adapters (Hu et al., 2022): small trainable matrices in parallel to frozen linear layers."""

    rank: PositiveInt = 8
    """Rank of the adapters."""
    alpha: PositiveFloat = 16.0
    """Scale of the adapters: their output is multiplied by `alpha / rank`."""
    dropout: Probability = 0.0
    """Dropout probability of the inputs of the adapters."""
    target_modules: Annotated[list[str], Field(min_length=1)] | None = None
    """Names of the linear layers with adapters, such as `query` and `value`; all linear layers by default."""
