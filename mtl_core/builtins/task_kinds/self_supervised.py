"""What self-supervised task kinds, which predict the input itself, have in common."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import PositiveInt

from mtl_core.errors import MtlError
from mtl_core.plugins.specs import TaskKindSpec

if TYPE_CHECKING:
    from mtl_core.data.class_space import ClassSpace
    from mtl_core.data.label_statistics import LabelStatistics


def default_metrics() -> Any:
    """Return the metrics of a task without configured ones."""
    return [{"type": "accuracy"}]


class SelfSupervisedSpec(TaskKindSpec):
    """Base class: the keys of all self-supervised kinds."""

    reads_inputs: ClassVar[bool] = True
    vocab_size: PositiveInt = 2000
    """Number of most frequent words to predict; other words are ignored."""

    def build_space(self, label_statistics: LabelStatistics) -> ClassSpace:
        """Return the label space of the most frequent words.

        Raises:
            MtlError: If the encoder has no vocabulary.
        """
        from mtl_core.data.class_space import ClassSpace

        return ClassSpace(self.select_words(label_statistics))

    def restore_space(self, state: Mapping[str, Any]) -> ClassSpace:
        """Return the label space of a saved run."""
        from mtl_core.data.class_space import ClassSpace

        return ClassSpace.from_state(state)

    def select_words(self, label_statistics: LabelStatistics) -> list[str]:
        """Return the most frequent words, most frequent first.

        Raises:
            MtlError: If the encoder has no vocabulary.
        """
        words = list(label_statistics.vocabulary[: self.vocab_size])
        if len(words) < 2:
            raise MtlError(
                f"the kind '{self.type}' predicts words of the input, but the encoder has no vocabulary of tokens"
            )
        return words
