"""The base class of self-supervised auxiliary tasks, which predict the input and need no labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import PositiveInt

from mtl_core import AuxiliaryData, AuxiliarySpec, AuxiliaryTask, HeadField, MtlError

if TYPE_CHECKING:
    from mtl_core import TaskKindSpec


class SelfSupervisedTask(AuxiliarySpec):
    """Base class: the keys of all self-supervised auxiliary tasks."""

    vocab_size: PositiveInt = 2000
    """Number of most frequent training words to predict; other words are ignored."""

    def build_task(self, data: AuxiliaryData, kind: TaskKindSpec, head: HeadField) -> list[AuxiliaryTask]:
        """Build the task.

        Raises:
            MtlError: If the inputs are not tokens.
        """
        if not data.encoder.vocabulary:
            raise MtlError(
                "it predicts the words of the input, but the encoder has no word vocabulary; "
                "it needs a text encoder (`mtl plugins` lists the installed encoders)"
            )
        return [AuxiliaryTask(self.task_name, kind, head)]
