"""The score of one task with one seed, and the influence of each example on it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.data.label_space import LabelSpace
from mtl_core.errors import MtlError, join_names
from mtl_core.evaluation.group_accumulator import GroupAccumulator
from mtl_core.evaluation.metric_accumulator import MetricAccumulator, has_sums
from mtl_core.evaluation.prepared_labels import prepare_for_metric
from mtl_core.evaluation.scores import Value
from mtl_core.experiments.compare.example_columns import ExampleColumns
from mtl_core.experiments.compare.ranked_pairs import build_ranking, ranks_pairs
from mtl_core.experiments.compare.run_outputs import LabelledImageSums, LabelledOutputs, ScoredOutputs
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.plugins.specs import MetricSpec
from mtl_core.statistics.influence import Floats, compute_jackknife_influence
from mtl_core.statistics.roc_auc import compute_leave_one_out_auc


@dataclass(frozen=True)
class ScoredLabels:
    """The labels of one fold that a metric scores, in the format of metrics.

    Attributes:
        outputs: `(labels, ...)`: the outputs.
        targets: `(labels, ...)`: the targets.
        columns: `(labels,)`: the column of the example of each label.
    """

    outputs: torch.Tensor
    targets: torch.Tensor
    columns: NDArray[np.int64]


@dataclass(frozen=True)
class SeedScore:
    """The score of one task with one seed.

    Attributes:
        score: The score on all examples; NaN if it is undefined.
        influence: `(examples,)`: the influence of each example on the score; 0 for examples without a label. For
            metrics without sums or a closed form, that of a group of examples is stored at the first column of the
            group.
        label_counts: `(examples,)`: number of scored labels per example.
        n_units: Number of examples with labels, or of groups.
        sums: `(examples, sums)`: the contribution of each example to the sums of the metric; None without sums.
        folds: The labels of each fold; empty if only sums are stored.
    """

    score: float
    influence: Floats
    label_counts: Floats
    n_units: int
    sums: Floats | None
    folds: Sequence[ScoredLabels]


class SeedScorer:
    """Scores one task with one seed, for all variants.

    A metric that is a function of sums over labels is computed from the sums of all folds. Any other metric, such as
    one that ranks examples, is computed in each fold and averaged over folds: outputs of different networks have no
    common scale (Forman and Scholz, 2010).

    Args:
        spec: The metric.
        examples: The columns of the examples.

    Reference: G. Forman, M. Scholz: Apples-to-Apples in Cross-Validation Studies. SIGKDD Explorations 12(1), 2010.
    """

    def __init__(self, spec: MetricSpec, examples: ExampleColumns) -> None:
        self.spec = spec
        self._examples = examples
        self._space: LabelSpace | None = None

    def score(self, folds: Sequence[ScoredOutputs]) -> SeedScore:
        """Score the outputs of all folds, a single one without cross-validation.

        Raises:
            MtlError: If only sums are stored, and none for this metric.
        """
        image_folds = [fold for fold in folds if isinstance(fold, LabelledImageSums)]
        if image_folds:
            return self._score_images(image_folds)
        return self._score_outputs([fold for fold in folds if isinstance(fold, LabelledOutputs)])

    def _score_images(self, folds: Sequence[LabelledImageSums]) -> SeedScore:
        """Score the stored sums of images."""
        key, columns, counts, sums = self.spec.key(), [], [], []
        for fold in folds:
            if key not in fold.image_sums.sums:
                raise MtlError(
                    f"task '{fold.task.name}': the metric '{key}' is not computed from sums over pixels, so runs "
                    f"cannot be compared by it; metrics with sums: {join_names(fold.image_sums.sums)}"
                )
            columns += self._examples.find_columns(fold.ids).tolist()
            counts.append(fold.image_sums.counts[key].numpy())
            sums.append(fold.image_sums.sums[key].numpy())
        label_counts = np.zeros(len(self._examples))
        label_counts[columns] = np.concatenate(counts)
        example_sums = np.zeros((len(self._examples), sums[0].shape[1]))
        example_sums[columns] = np.concatenate(sums)
        return _score_sums(self.spec, example_sums, label_counts, [])

    def _score_outputs(self, folds: Sequence[LabelledOutputs]) -> SeedScore:
        scored_folds = [self._select_scored_labels(fold) for fold in folds]
        columns = np.concatenate([fold.columns for fold in scored_folds])
        label_counts = np.bincount(columns, minlength=len(self._examples)).astype(np.float64)
        sums = self._sum_by_example(folds, scored_folds, columns)
        if sums is not None:
            return _score_sums(self.spec, sums, label_counts, scored_folds)
        self._space = folds[0].task.space
        if ranks_pairs(self.spec) and label_counts.max(initial=0) == 1:
            return self._score_pairs(scored_folds, label_counts)
        return self._score_groups(scored_folds, label_counts)

    def score_resamples(self, labels: GroupLabels) -> Floats:
        """Compute the metric itself for several resamples of the labels of a fold, `(resamples,)`; NaN if undefined.

        Args:
            labels: The resamples, in the place of tasks.
        """
        assert self._space is not None  # noqa: S101  it is known with the first score
        accumulator = GroupAccumulator(self.spec, [self._space] * len(labels.counts))
        if not has_sums(self.spec) and accumulator.update(labels):
            values = accumulator.compute()
        else:
            values = [self._compute_value(outputs, targets) for outputs, targets in labels.split_tasks()]
        return np.array([value if isinstance(value, float) else np.nan for value in values])

    def _compute_value(self, outputs: torch.Tensor, targets: torch.Tensor) -> Value:
        assert self._space is not None  # noqa: S101  it is known with the first score
        accumulator = MetricAccumulator(self.spec, self._space)
        if len(targets):
            accumulator.update(outputs, targets)
        return accumulator.compute()

    def _score_fold(self, fold: ScoredLabels) -> float:
        value = self._compute_value(fold.outputs, fold.targets)
        return value if isinstance(value, float) else float("nan")

    def _select_scored_labels(self, fold: LabelledOutputs) -> ScoredLabels:
        task_outputs = fold.outputs
        row_indices = self.spec.select_rows(fold.task.space, task_outputs.targets)
        outputs, targets = prepare_for_metric(
            fold.task.kind, self.spec, task_outputs.outputs[row_indices], task_outputs.targets[row_indices]
        )
        return ScoredLabels(outputs, targets, self._examples.find_columns(fold.ids[row_indices.numpy()]))

    def _sum_by_example(
        self, folds: Sequence[LabelledOutputs], scored_folds: Sequence[ScoredLabels], columns: NDArray[np.int64]
    ) -> Floats | None:
        """Return each example's contribution to the sums of the metric, `(examples, sums)`; None without sums."""
        if not has_sums(self.spec):
            return None
        tables = [
            self.spec.compute_label_sums(fold.task.space, scored.outputs, scored.targets)
            for fold, scored in zip(folds, scored_folds, strict=True)
        ]
        label_sums = [table.double().numpy() for table in tables if table is not None]
        if len(label_sums) < len(tables):
            return None
        stacked_sums = np.concatenate(label_sums)
        sums = np.zeros((len(self._examples), stacked_sums.shape[1]))
        np.add.at(sums, columns, stacked_sums)
        return sums

    def _score_pairs(self, folds: Sequence[ScoredLabels], label_counts: Floats) -> SeedScore:
        """Score the ranking of pairs: on all examples, and without each example, of which each has one label."""
        fold_scores = np.array([self._score_fold(fold) for fold in folds])
        influence = np.zeros(len(label_counts))
        columns = np.concatenate([fold.columns for fold in folds])
        if len(columns):
            leave_one_out = []
            for index, fold in enumerate(folds):
                ranking = build_ranking(fold.outputs, fold.targets)
                changes = compute_leave_one_out_auc(ranking.scores, ranking.is_positive) - fold_scores[index]
                leave_one_out.append(fold_scores.mean() + changes / len(folds))
            influence[columns] = compute_jackknife_influence(np.concatenate(leave_one_out))
        return SeedScore(float(fold_scores.mean()), influence, label_counts, len(columns), None, folds)

    def _score_groups(self, folds: Sequence[ScoredLabels], label_counts: Floats) -> SeedScore:
        """Score with the metric itself: on all examples, and without each group of examples."""
        fold_scores = np.array([self._score_fold(fold) for fold in folds])
        groups = np.unique(self._examples.groups[label_counts > 0])
        leave_one_out = np.tile(fold_scores, (len(groups), 1))
        for fold_index, fold in enumerate(folds):
            group_of_label = self._examples.groups[fold.columns]
            fold_groups = np.unique(group_of_label)
            is_in_resample = torch.from_numpy(group_of_label != fold_groups[:, None])
            resamples, rows = is_in_resample.nonzero(as_tuple=True)
            counts = torch.bincount(resamples, minlength=len(fold_groups))
            scores = self.score_resamples(GroupLabels(fold.outputs[rows], fold.targets[rows], counts))
            leave_one_out[np.searchsorted(groups, fold_groups), fold_index] = scores
        influence = np.zeros(len(label_counts))
        if len(groups):
            influence[groups] = compute_jackknife_influence(leave_one_out.mean(axis=1))
        return SeedScore(float(fold_scores.mean()), influence, label_counts, len(groups), None, folds)


def _score_sums(spec: MetricSpec, sums: Floats, label_counts: Floats, folds: Sequence[ScoredLabels]) -> SeedScore:
    is_scored = label_counts > 0
    total = sums.sum(axis=0)
    influence = np.zeros(len(sums))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = float(spec.compute_from_sums(total))
        if is_scored.any():
            influence[is_scored] = compute_jackknife_influence(spec.compute_from_sums(total - sums[is_scored]))
    return SeedScore(
        score if np.isfinite(score) else float("nan"), influence, label_counts, int(is_scored.sum()), sums, folds
    )
