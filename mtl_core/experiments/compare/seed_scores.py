"""The score of one task with one seed, the influence of each example on it, and the answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.evaluation.scorer import compute_value
from mtl_core.experiments.compare.run_outputs import LabelledOutputs
from mtl_core.plugins.specs import MetricSpec
from mtl_core.statistics.influence import Floats, compute_jackknife_influence

MAX_GROUPS = 200
"""Largest number of examples, or groups of examples, that are left out one by one for metrics without sums."""


@dataclass(frozen=True)
class SeedScore:
    """The score of one task with one seed.

    Attributes:
        score: The score on all examples; NaN if it is undefined.
        influence: `(examples,)`: the influence of each example on the score; 0 for examples without a label. For
            metrics without sums, that of a group of examples is stored at its first example.
        label_counts: `(examples,)`: number of scored labels per example.
        n_units: Number of examples with labels, or of groups.
        answers: `(examples, columns)`: what the metric reads of the answers to each example. Two variants answer an
            example differently if their rows differ.
    """

    score: float
    influence: Floats
    label_counts: Floats
    n_units: int
    answers: Floats


def score_seed(spec: MetricSpec, folds: Sequence[LabelledOutputs], column_by_id: Mapping[str, int]) -> SeedScore:
    """Score one task with one seed.

    A metric that is a function of sums over labels is computed from the sums of all folds. Any other metric, such as
    one that ranks examples, is computed in each fold and averaged over folds: outputs of different networks have no
    common scale (Forman and Scholz, 2010).

    Args:
        spec: The metric.
        folds: The outputs of each fold; a single one without cross-validation.
        column_by_id: Id of an example to its column.

    Reference: G. Forman, M. Scholz: Apples-to-Apples in Cross-Validation Studies. SIGKDD Explorations 12(1), 2010.
    """
    n_examples = len(column_by_id)
    scored_folds = [_select_scored_labels(spec, fold, column_by_id) for fold in folds]
    columns = np.concatenate([fold.columns for fold in scored_folds])
    label_counts = np.bincount(columns, minlength=n_examples).astype(np.float64)
    sums = _sum_by_example(spec, folds, scored_folds, columns, n_examples)
    if sums is not None:
        return _score_sums(spec, sums, label_counts)
    return _score_by_metric(spec, folds, scored_folds, columns, label_counts)


@dataclass(frozen=True)
class _ScoredLabels:
    """The labels of one fold that a metric scores, in the format of metrics, with the columns of their examples."""

    outputs: torch.Tensor
    targets: torch.Tensor
    columns: NDArray[np.int64]


def _select_scored_labels(spec: MetricSpec, fold: LabelledOutputs, column_by_id: Mapping[str, int]) -> _ScoredLabels:
    task_outputs = fold.outputs
    row_indices = spec.select_rows(fold.task.space, task_outputs.targets)
    outputs, targets = fold.task.kind.prepare_for_metrics(
        task_outputs.outputs[row_indices], task_outputs.targets[row_indices]
    )
    columns = [column_by_id[example_id] for example_id in fold.ids[row_indices.numpy()].tolist()]
    return _ScoredLabels(outputs, targets, np.array(columns, dtype=np.int64))


def _sum_by_example(
    spec: MetricSpec,
    folds: Sequence[LabelledOutputs],
    scored_folds: Sequence[_ScoredLabels],
    columns: NDArray[np.int64],
    n_examples: int,
) -> Floats | None:
    """Return each example's contribution to the sums of the metric, `(examples, sums)`; None without sums."""
    tables = [
        spec.compute_label_sums(fold.task.space, scored.outputs, scored.targets)
        for fold, scored in zip(folds, scored_folds, strict=True)
    ]
    label_sums = [table.double().numpy() for table in tables if table is not None]
    if len(label_sums) < len(tables):
        return None
    stacked_sums = np.concatenate(label_sums)
    sums = np.zeros((n_examples, stacked_sums.shape[1]))
    np.add.at(sums, columns, stacked_sums)
    return sums


def _score_sums(spec: MetricSpec, sums: Floats, label_counts: Floats) -> SeedScore:
    is_scored = label_counts > 0
    total = sums.sum(axis=0)
    influence = np.zeros(len(sums))
    with np.errstate(divide="ignore", invalid="ignore"):
        score = float(spec.compute_from_sums(total))
        if is_scored.any():
            influence[is_scored] = compute_jackknife_influence(spec.compute_from_sums(total - sums[is_scored]))
    return SeedScore(score if np.isfinite(score) else float("nan"), influence, label_counts, int(is_scored.sum()), sums)


def _score_by_metric(
    spec: MetricSpec,
    folds: Sequence[LabelledOutputs],
    scored_folds: Sequence[_ScoredLabels],
    columns: NDArray[np.int64],
    label_counts: Floats,
) -> SeedScore:
    """Score with the metric itself: on all examples, and without each example or group of examples."""
    metrics = [spec.build(fold.task.space) for fold in folds]

    def compute(index: int, keep: NDArray[np.bool_] | None) -> float:
        scored, metric = scored_folds[index], metrics[index]
        outputs, targets = scored.outputs, scored.targets
        if keep is not None:
            rows = torch.from_numpy(np.flatnonzero(keep[scored.columns]))
            outputs, targets = outputs[rows], targets[rows]
        metric.reset()
        if len(targets):
            metric.update(outputs, targets)
        value = compute_value(spec, metric, len(targets))
        return value if isinstance(value, float) else float("nan")

    fold_scores = np.array([compute(index, None) for index in range(len(folds))])
    scored_columns = np.flatnonzero(label_counts)
    # Columns have no order that matters, and groups are the same for all variants and seeds with the same labels.
    groups = [
        scored_columns[start :: min(MAX_GROUPS, len(scored_columns))]
        for start in range(min(MAX_GROUPS, len(scored_columns)))
    ]
    leave_one_out = np.empty(len(groups))
    for number, group in enumerate(groups):
        keep = np.ones(len(label_counts), dtype=bool)
        keep[group] = False
        scores = fold_scores.copy()
        for index, scored in enumerate(scored_folds):
            if not keep[scored.columns].all():
                scores[index] = compute(index, keep)
        leave_one_out[number] = scores.mean()
    influence = np.zeros(len(label_counts))
    if groups:
        influence[[group[0] for group in groups]] = compute_jackknife_influence(leave_one_out)
    return SeedScore(
        float(fold_scores.mean()),
        influence,
        label_counts,
        len(groups),
        _collect_answers(scored_folds, columns, len(label_counts)),
    )


def _collect_answers(scored_folds: Sequence[_ScoredLabels], columns: NDArray[np.int64], n_examples: int) -> Floats:
    """Return the sum of each example's outputs, `(examples, outputs)`: equal outputs have equal sums."""
    outputs = np.concatenate(
        [scored.outputs.double().reshape(len(scored.outputs), -1).numpy() for scored in scored_folds]
    )
    answers = np.zeros((n_examples, outputs.shape[1]))
    np.add.at(answers, columns, outputs)
    return answers
