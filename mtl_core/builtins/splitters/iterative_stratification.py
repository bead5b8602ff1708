"""Iterative stratification in time proportional to the number of labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from skmultilearn.model_selection import IterativeStratification
from skmultilearn.model_selection.iterative_stratification import _fold_tie_break


class LinearIterativeStratification(IterativeStratification):  # type: ignore[misc]  # the library has no types
    """scikit-multilearn's `IterativeStratification` of order 1, with the same assignments and the same random draws.

    The library removes every assigned row from the list of rows of each of its labels, which searches lists as long as
    there are examples. Here, assigned rows are skipped when their turn comes: this takes 1,000 tasks from minutes to
    seconds.

    Args:
        fractions: The fraction of rows per split.
    """

    def __init__(self, fractions: list[float]) -> None:
        super().__init__(n_splits=len(fractions), order=1, sample_distribution_per_fold=fractions)

    def _prepare_stratification(self, y: NDArray[np.uint8]) -> tuple[Any, ...]:
        """Return what the library passes to the two methods that distribute rows.

        Args:
            y: `(rows, labels)` of 0 and 1.
        """
        self.n_samples, self.n_labels = y.shape
        self.desired_samples_per_fold = np.array([fraction * len(y) for fraction in self.percentage_per_fold])
        counts = y.sum(axis=0, dtype=np.int64)
        self._desired = counts[:, None] * np.array(self.percentage_per_fold)
        rows_by_label = np.split(np.nonzero(np.ascontiguousarray(y.T))[1], np.cumsum(counts))
        labels_by_row = np.split(np.nonzero(y)[1], np.cumsum(y.sum(axis=1, dtype=np.int64)))
        # The library takes labels in the order in which the rows contain them.
        present = sorted(np.flatnonzero(counts).tolist(), key=lambda label: int(rows_by_label[label][0]))
        rows_of_labels = {label: rows_by_label[label] for label in present}
        folds: list[list[int]] = [[] for _ in range(self.n_splits)]
        rows_used = dict.fromkeys(range(len(y)), False)
        return None, rows_used, None, labels_by_row, rows_of_labels, folds

    def _distribute_positive_evidence(
        self,
        rows_used: dict[int, bool],
        folds: list[list[int]],
        rows_of_labels: dict[int, NDArray[np.int64]],
        labels_by_row: list[NDArray[np.int64]],
    ) -> None:
        """Assign the rows of one label after the other, each to the split that lacks most rows of the label."""
        is_assigned = np.zeros(len(rows_used), dtype=bool)
        for label, rows in rows_of_labels.items():
            desired = self._desired[label]
            unassigned = rows[~is_assigned[rows]]
            is_assigned[unassigned] = True
            for row in unassigned[::-1].tolist():
                split_index = _fold_tie_break(desired, np.flatnonzero(desired == desired.max()))
                folds[split_index].append(row)
                rows_used[row] = True
                self._desired[labels_by_row[row], split_index] -= 1
                self.desired_samples_per_fold[split_index] -= 1
