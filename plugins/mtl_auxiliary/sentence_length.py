"""The spec of the auxiliary task that predicts the length of an input."""

from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field

from mtl_auxiliary.word_counts import iterate_words, require_words
from mtl_core import (
    AuxiliaryData,
    AuxiliarySpec,
    AuxiliaryTask,
    Classification,
    HeadField,
    MtlError,
    Ordinal,
    TaskKindSpec,
    default_type,
)


class SentenceLength(AuxiliarySpec):
    """Statistical: the number of words of the input, in quantile bins of the training lengths.

    One of the probing tasks of Adi et al. (2017) for sentence vectors.
    """

    type: Literal["sentence-length"] = "sentence-length"
    bins: Annotated[int, Field(ge=2)] = 5
    """Number of bins; there are fewer if many inputs are equally long."""
    ordered: bool = True
    """Whether the bins are ordered classes (kind `ordinal`) or plain classes (kind `classification`)."""
    head: HeadField = default_type("linear")
    """The head, which predicts the bin of an input."""

    def build_tasks(self, data: AuxiliaryData) -> Sequence[AuxiliaryTask]:
        """Compute the bins of the training lengths and build the task.

        Raises:
            MtlError: If no training input contains words, or all training inputs are equally long.
        """
        require_words(data)
        lengths = [len(words) for words in iterate_words(data)]
        edges = compute_bin_edges([lengths[row] for row in data.train_rows.tolist()], self.bins)
        if not edges:
            raise MtlError(f"all training inputs are equally long ({lengths[data.train_rows[0]]} words)")
        names = format_bin_names(edges)
        kind: TaskKindSpec = Ordinal(classes=names) if self.ordered else Classification(classes=names)
        labels = [names[bisect_left(edges, length)] for length in lengths]
        return [AuxiliaryTask(self.task_name, kind, self.head, labels)]


def compute_bin_edges(lengths: Sequence[int], n_bins: int) -> list[int]:
    """Compute the largest length of each bin except the last; each bin contains at least one of the lengths.

    Args:
        lengths: The number of words of each training input.
        n_bins: Maximum number of bins.

    Returns:
        The inclusive upper edges in ascending order; empty if all lengths are equal.
    """
    sorted_lengths = sorted(lengths)
    shorter_lengths = [length for length in sorted_lengths if length < sorted_lengths[-1]]
    quantiles = {sorted_lengths[(len(sorted_lengths) * index - 1) // n_bins] for index in range(1, n_bins)} & set(
        shorter_lengths
    )
    return sorted(quantiles) or shorter_lengths[-1:]  # if most inputs have the maximum length, they form one bin


def format_bin_names(edges: Sequence[int]) -> list[str]:
    """Format the names of the bins, in ascending order."""
    middle_names = [f"{low + 1} to {high}" if low + 1 < high else f"{high}" for low, high in pairwise(edges)]
    return [f"up to {edges[0]}", *middle_names, f"{edges[-1] + 1} or more"]
