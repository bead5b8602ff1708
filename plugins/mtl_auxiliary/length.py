"""The auxiliary task of guessing how long an input is."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from mtl_auxiliary.words import all_words, require_words
from mtl_core import MtlError, TaskKindSpec
from mtl_core.builtins.task_kinds.classification import Classification
from mtl_core.builtins.task_kinds.two_and_ordered import Ordinal
from mtl_core.config.by_registry import default_type
from mtl_core.config.seam_fields import HeadField
from mtl_core.data.auxiliary import AuxiliaryData, AuxiliaryTask
from mtl_core.specs import AuxiliarySpec


class SentenceLength(AuxiliarySpec):
    """Statistical: how many words the input has, in bins that hold about as many training inputs each.

    One of the properties that Adi et al. (2017) asked sentence vectors about.
    """

    type: Literal["sentence-length"] = "sentence-length"
    bins: Annotated[int, Field(ge=2)] = 5
    """How many; there are fewer where many inputs are equally long."""
    ordered: bool = True
    """Learn the bins in their order (kind `ordinal`); false tells them apart like any classes."""
    head: HeadField = default_type("linear")
    """Learns the bin of an input."""

    def tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Put bins around the training lengths.

        Raises:
            MtlError: If inputs have no words, or all of training are equally long.
        """
        require_words(data)
        lengths = [len(words) for words in all_words(data)]
        cuts = length_cuts([lengths[row] for row in data.train.tolist()], self.bins)
        if not cuts:
            raise MtlError(f"all training inputs are equally long ({lengths[data.train[0]]} words)")
        names = bin_names(cuts)
        kind: TaskKindSpec = Ordinal(classes=names) if self.ordered else Classification(classes=names)
        labels = [names[bisect_left(cuts, length)] for length in lengths]
        return [AuxiliaryTask(self.task_name, kind, self.head, labels)]


def length_cuts(lengths: Sequence[int], bins: int) -> list[int]:
    """Give the greatest length of every bin but the last; each bin holds at least one of the lengths.

    Args:
        lengths: Of the training inputs.
        bins: How many bins there are to be at most.

    Returns:
        In ascending order; nothing if all lengths are equal.
    """
    ordered = sorted(lengths)
    shorter = [length for length in ordered if length < ordered[-1]]
    quantiles = {ordered[(len(ordered) * place - 1) // bins] for place in range(1, bins)} & set(shorter)
    return sorted(quantiles) or shorter[-1:]  # where most are of the greatest length, they are one bin


def bin_names(cuts: Sequence[int]) -> list[str]:
    """Name the bins, from the shortest to the longest."""
    between = [f"{low + 1} to {high}" if low + 1 < high else f"{high}" for low, high in pairwise(cuts)]
    return [f"up to {cuts[0]}", *between, f"{cuts[-1] + 1} or more"]
