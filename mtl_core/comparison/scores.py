"""Compute the score of one task with one seed, on all examples and on resampled examples."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.comparison.bootstrap import Floats
from mtl_core.comparison.outputs import Said
from mtl_core.evaluation.scores import value_of
from mtl_core.specs import MetricSpec


class SeedScores:
    """The scores of one task with one seed. The outputs of all folds are concatenated before they are scored.

    Args:
        spec: The metric.
        parts: The outputs of each fold; a single one without cross-validation.
        places: Id of an example to its column in the resampled counts.
    """

    def __init__(self, spec: MetricSpec, parts: Sequence[Said], places: Mapping[str, int]) -> None:
        self._spec = spec
        self._metric = spec.build(parts[0].task.space)
        self._examples = len(places)
        scored = [_scored(spec, part) for part in parts]
        self._outputs = torch.cat([outputs for outputs, _, _ in scored])
        self._targets = torch.cat([targets for _, targets, _ in scored])
        self._columns = np.array([places[one] for _, _, ids in scored for one in ids], dtype=np.int64)
        self.n = len(self._columns)
        self._counts = np.bincount(self._columns, minlength=self._examples).astype(np.float64)
        self._sums = self._by_example(parts, scored)

    @property
    def figure(self) -> float:
        """The score on all examples; NaN if it is undefined."""
        return self._measured(self._outputs, self._targets)

    def counts_of(self, drawn: Floats) -> Floats:
        """Return the number of labels per resample, `(resamples,)`, for example counts `(resamples, examples)`."""
        counts: Floats = drawn @ self._counts
        return counts

    def figures_of(self, drawn: Floats) -> Floats:
        """Compute the score of each resample, `(resamples,)`; NaN where it is undefined.

        Args:
            drawn: `(resamples, examples)`: how often each example was sampled.
        """
        if self._sums is None:
            return np.array([self._of_drawn(often) for often in drawn.astype(np.int64)])
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._spec.of_sums(drawn @ self._sums)

    def _of_drawn(self, often: NDArray[np.int64]) -> float:
        """Compute the metric with each label repeated as often as its example was sampled."""
        rows = torch.from_numpy(np.repeat(np.arange(self.n), often[self._columns]))
        return self._measured(self._outputs[rows], self._targets[rows])

    def _measured(self, outputs: torch.Tensor, targets: torch.Tensor) -> float:
        self._metric.reset()
        if len(targets):
            self._metric.update(outputs, targets)
        value = value_of(self._spec, self._metric, len(targets))
        return value if isinstance(value, float) else float("nan")

    def _by_example(self, parts: Sequence[Said], scored: Sequence["_Scored"]) -> Floats | None:
        """Return each example's contribution to the sums of the metric, `(examples, sums)`; None without sums."""
        tables = [
            self._spec.label_sums(part.task.space, outputs, targets)
            for part, (outputs, targets, _) in zip(parts, scored, strict=True)
        ]
        given = [table.double().numpy() for table in tables if table is not None]
        if len(given) < len(tables):
            return None
        labels = np.concatenate(given)
        sums = np.zeros((self._examples, labels.shape[1]))
        np.add.at(sums, self._columns, labels)
        return sums


_Scored = tuple[torch.Tensor, torch.Tensor, NDArray[np.str_]]


def _scored(spec: MetricSpec, part: Said) -> _Scored:
    """Return outputs, targets and example ids of the labels that a metric scores, in the format of metrics."""
    said = part.outputs
    rows = spec.scored(part.task.space, said.targets)
    outputs, targets = part.task.kind.for_metrics(said.outputs[rows], said.targets[rows])
    return outputs, targets, part.ids[rows.numpy()]
