"""Compute the score of one task with one seed, on all examples and on resampled examples."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.evaluation.scorer import compute_value
from mtl_core.experiments.compare.bootstrap import Floats
from mtl_core.experiments.compare.run_outputs import LabelledOutputs
from mtl_core.plugins.specs import MetricSpec


class SeedScores:
    """The scores of one task with one seed. The outputs of all folds are concatenated before they are scored.

    Args:
        spec: The metric.
        folds: The outputs of each fold; a single one without cross-validation.
        column_by_id: Id of an example to its column in the resampled counts.
    """

    def __init__(self, spec: MetricSpec, folds: Sequence[LabelledOutputs], column_by_id: Mapping[str, int]) -> None:
        self._spec = spec
        self._metric = spec.build(folds[0].task.space)
        self._n_examples = len(column_by_id)
        scored_labels = [_select_scored_labels(spec, fold) for fold in folds]
        self._outputs = torch.cat([outputs for outputs, _, _ in scored_labels])
        self._targets = torch.cat([targets for _, targets, _ in scored_labels])
        self._columns = np.array(
            [column_by_id[example_id] for _, _, ids in scored_labels for example_id in ids], dtype=np.int64
        )
        self.n = len(self._columns)
        self._label_counts = np.bincount(self._columns, minlength=self._n_examples).astype(np.float64)
        self._sums = self._sum_by_example(folds, scored_labels)

    @property
    def score(self) -> float:
        """The score on all examples; NaN if it is undefined."""
        return self._compute_metric(self._outputs, self._targets)

    def count_labels(self, example_counts: Floats) -> Floats:
        """Return the number of labels per resample, `(resamples,)`, for example counts `(resamples, examples)`."""
        label_counts: Floats = example_counts @ self._label_counts
        return label_counts

    def score_resamples(self, example_counts: Floats) -> Floats:
        """Compute the score of each resample, `(resamples,)`; NaN where it is undefined.

        Args:
            example_counts: `(resamples, examples)`: how often each example was sampled.
        """
        if self._sums is None:
            return np.array([self._score_resample(counts) for counts in example_counts.astype(np.int64)])
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._spec.compute_from_sums(example_counts @ self._sums)

    def _score_resample(self, example_counts: NDArray[np.int64]) -> float:
        """Compute the metric with each label repeated as often as its example was sampled."""
        label_indices = torch.from_numpy(np.repeat(np.arange(self.n), example_counts[self._columns]))
        return self._compute_metric(self._outputs[label_indices], self._targets[label_indices])

    def _compute_metric(self, outputs: torch.Tensor, targets: torch.Tensor) -> float:
        self._metric.reset()
        if len(targets):
            self._metric.update(outputs, targets)
        value = compute_value(self._spec, self._metric, len(targets))
        return value if isinstance(value, float) else float("nan")

    def _sum_by_example(
        self, folds: Sequence[LabelledOutputs], scored_labels: Sequence["_ScoredLabels"]
    ) -> Floats | None:
        """Return each example's contribution to the sums of the metric, `(examples, sums)`; None without sums."""
        tables = [
            self._spec.compute_label_sums(fold.task.space, outputs, targets)
            for fold, (outputs, targets, _) in zip(folds, scored_labels, strict=True)
        ]
        label_sums = [table.double().numpy() for table in tables if table is not None]
        if len(label_sums) < len(tables):
            return None
        stacked_sums = np.concatenate(label_sums)
        sums = np.zeros((self._n_examples, stacked_sums.shape[1]))
        np.add.at(sums, self._columns, stacked_sums)
        return sums


_ScoredLabels = tuple[torch.Tensor, torch.Tensor, NDArray[np.str_]]


def _select_scored_labels(spec: MetricSpec, fold: LabelledOutputs) -> _ScoredLabels:
    """Return outputs, targets and example ids of the labels that a metric scores, in the format of metrics."""
    task_outputs = fold.outputs
    row_indices = spec.select_rows(fold.task.space, task_outputs.targets)
    outputs, targets = fold.task.kind.prepare_for_metrics(
        task_outputs.outputs[row_indices], task_outputs.targets[row_indices]
    )
    return outputs, targets, fold.ids[row_indices.numpy()]
