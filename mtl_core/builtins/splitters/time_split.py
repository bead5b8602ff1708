"""Training data before validation data before test data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from mtl_core.builtins.splitters.fractions import FractionSplitter
from mtl_core.data.files.cells import format_cell
from mtl_core.errors import MtlError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mtl_core.data.metadata import ExampleMetadata
    from mtl_core.data.splitting import SplitUnits


class TimeSplit(FractionSplitter):
    """Training data is older than validation data, which is older than test data.

    Examples of the same time are in one split, and so are identical inputs with all examples of the time between
    them. The seed has no influence. Fractions are those of the examples; of the times that divide them with a
    deviation of at most one percentage point, the one with the most even classes is chosen.
    """

    type: Literal["time"] = "time"
    column: str
    """The column of numbers or ISO dates (`2024-01-31`, `2024-01-31T12:30:00`), one of `data.metadata`."""

    def split(self, units: SplitUnits, seed: int) -> NDArray[np.int8]:
        """Cut the units, in the order of time, into training, validation and test data.

        Raises:
            MtlError: If there is no such column, a cell is missing or no time, or no time divides the examples.
        """
        import numpy as np

        from mtl_core.builtins.splitters.time_cuts import choose_cut
        from mtl_core.builtins.splitters.times import parse_times

        times = parse_times(units.metadata, self.column)
        missing = np.flatnonzero(np.isnan(times))
        if len(missing):
            raise MtlError(f"{units.metadata.locations[missing[0]]}: column '{self.column}': the time is missing")
        fractions = self.resolve_fractions(units)
        blocks = _number_blocks(times, units)
        n_blocks = int(blocks.max(initial=-1)) + 1
        if n_blocks < sum(fraction > 0 for fraction in fractions):
            self._raise_indivisible(units, times, n_blocks)
        sizes = np.bincount(blocks, weights=units.sizes, minlength=n_blocks).astype(np.int64)
        counts = np.zeros((n_blocks, len(units.columns)), dtype=np.int64)
        np.add.at(counts, blocks, units.indicators)
        n_examples = int(sizes.sum())
        _, validation, test = fractions
        test_start = n_blocks
        if test:
            test_start = choose_cut(sizes, counts, test * n_examples, 2 if validation else 1, n_blocks)
        validation_start = test_start
        if validation:
            validation_start = choose_cut(sizes, counts, validation * n_examples, 1, test_start)
        return ((blocks >= validation_start).astype(np.int8) + (blocks >= test_start)).astype(np.int8)

    def find_leaks(self, train: ExampleMetadata, held_out: ExampleMetadata) -> NDArray[np.bool_]:
        """Return which training examples are not older than every held-out example, or of unknown time."""
        import numpy as np

        from mtl_core.builtins.splitters.times import parse_times

        held_out_times = parse_times(held_out, self.column)
        if np.isnan(held_out_times).all():
            return np.zeros(len(train), dtype=np.bool_)
        is_older: NDArray[np.bool_] = parse_times(train, self.column) < np.nanmin(held_out_times)
        return ~is_older

    def describe_leak(self, held_out: str) -> str:
        """Return what is wrong with them."""
        return f"not older by '{self.column}' than all {held_out} examples"

    def build_fold_keys(self) -> dict[str, object]:
        """Raise an error: a network would be trained on examples that are later than the held-out ones."""
        raise MtlError(
            "folds would train on examples that are later than the held-out ones, which `split: {type: time}` "
            "excludes; use several seeds without folds, or set another `split`"
        )

    def _raise_indivisible(self, units: SplitUnits, times: NDArray[np.float64], n_blocks: int) -> None:
        import numpy as np

        n_times = len(np.unique(times))
        if n_times == n_blocks:
            noun = "1 time" if n_times == 1 else f"{n_times} times"
            raise MtlError(f"split.column: the {noun} of '{self.column}' cannot be divided: more splits than times")
        low, high = _compute_unit_times(times, units)
        rows = np.flatnonzero(units.unit_of_example == (high - low).argmax())
        first, last = rows[times[rows].argmin()], rows[times[rows].argmax()]
        cells, locations = units.metadata.get_column(self.column), units.metadata.locations
        raise MtlError(
            f"split.column: no time of '{self.column}' divides the examples, since identical inputs stay together, "
            f"such as {locations[first]} ({format_cell(cells[first])}) and {locations[last]} "
            f"({format_cell(cells[last])}); remove repeated inputs"
        )


def _compute_unit_times(
    times: NDArray[np.float64], units: SplitUnits
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the first and the last time of each unit, both `(units,)`."""
    import numpy as np

    low, high = np.full(len(units), np.inf), np.full(len(units), -np.inf)
    np.minimum.at(low, units.unit_of_example, times)
    np.maximum.at(high, units.unit_of_example, times)
    return low, high


def _number_blocks(times: NDArray[np.float64], units: SplitUnits) -> NDArray[np.int64]:
    """Return the block of each unit, `(units,)`, int64: blocks are the finest division by time of whole units."""
    import numpy as np

    low, high = _compute_unit_times(times, units)
    order = np.argsort(low, kind="stable")
    latest = np.maximum.accumulate(high[order])
    blocks = np.empty(len(units), dtype=np.int64)
    blocks[order] = np.concatenate([[0], np.cumsum(low[order][1:] > latest[:-1])])[: len(units)]
    return blocks
