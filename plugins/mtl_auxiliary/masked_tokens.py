"""The spec of the auxiliary task that predicts masked words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field

from mtl_auxiliary.self_supervised import SelfSupervisedTask
from mtl_core import AuxiliaryData, AuxiliaryTask, HeadField, MaskedTokens, default_type


class MaskedTokensTask(SelfSupervisedTask):
    """Unsupervised: masked words, predicted from their context.

    The masked language modelling objective of Devlin et al. (2019), trained together with the main tasks as in
    Rei (2017), who predicts the previous and the next word. The other tasks read the unmasked input.
    """

    type: Literal["masked-tokens"] = "masked-tokens"
    mask_ratio: Annotated[float, Field(gt=0, le=0.5)] = 0.15
    """Share of the words that are masked, sampled in every step."""
    head: HeadField = default_type("token-linear")
    """The head, which predicts each masked word."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Build the task; its targets are the inputs.

        Raises:
            MtlError: If the inputs are not tokens.
        """
        return self.build_task(data, MaskedTokens(mask_ratio=self.mask_ratio, vocab_size=self.vocab_size), self.head)
