"""The spec of the auxiliary task that predicts the input from one vector."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from mtl_auxiliary.self_supervised import SelfSupervisedTask
from mtl_core import AuxiliaryData, AuxiliaryTask, HeadField, Reconstruction, default_type


class ReconstructionTask(SelfSupervisedTask):
    """Unsupervised: reconstruction of the input, word by word, from one vector (autoencoder; Dai and Le, 2015)."""

    type: Literal["reconstruction"] = "reconstruction"
    head: HeadField = default_type("sequence-decoder")
    """The head, which predicts the word at each position; `token-linear` reads the word itself: an easy task."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Build the task; its targets are the inputs.

        Raises:
            MtlError: If the inputs are not tokens.
        """
        return self.build_task(data, Reconstruction(vocab_size=self.vocab_size), self.head)
