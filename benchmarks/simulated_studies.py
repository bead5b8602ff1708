"""Simulated comparisons of two variants whose true difference is known, for accuracy, F1, ROC-AUC and MAE.

The answer to an example depends on its difficulty, which both variants share, and on random effects of each variant: of
the seed, of the example (the same with every seed), and of both. The true difference is that of the means over all
seeds and all examples, and is computed by numerical integration.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.special import ndtr
from scipy.stats import rankdata

from mtl_core.builtins.metrics.label_sums import compute_f1
from mtl_core.statistics.influence import (
    Floats,
    ScoreInfluence,
    compute_jackknife_influence,
    compute_typical_change,
)
from mtl_core.statistics.swap_test import Masks, SwapTest, run_swap_test

MetricName = Literal["accuracy", "f1", "roc-auc", "mae"]
POSITIVE_SHARE = 0.3
"""Share of positive labels."""
NODES, WEIGHTS = hermegauss(40)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


@dataclass(frozen=True)
class Effects:
    """Standard deviations of the random effects of each variant; that of the difficulty is 1.

    Attributes:
        seed: Over seeds, as a multiple of one standard error over examples.
        example: Over examples, the same with every seed.
        both: Over examples, different with every seed.
    """

    seed: float
    example: float
    both: float


@dataclass(frozen=True)
class Design:
    """What is simulated.

    Attributes:
        metric: The metric.
        n_seeds: Number of seeds.
        n_examples: Number of test examples.
        effects: The random effects.
        shift: How much better the second variant is, in standard deviations of the difficulty.
    """

    metric: MetricName
    n_seeds: int
    n_examples: int
    effects: Effects
    shift: float = 0.0

    @property
    def seed_deviation(self) -> float:
        """The standard deviation of the effect of a seed."""
        return float(self.effects.seed / self.n_examples**0.5)


@dataclass(frozen=True)
class Study:
    """One simulated comparison.

    Attributes:
        difference: The difference between the variants.
        n_changed: Largest number of examples that they answer differently with one seed.
        swap_test: The permutation test over examples; None for ROC-AUC, for which it would take hours.
    """

    difference: ScoreInfluence
    n_changed: int
    swap_test: SwapTest | None


def compute_true_difference(design: Design) -> float:
    """Compute the true difference of a design."""
    return _compute_true_score(design, design.shift) - _compute_true_score(design, 0.0)


def find_shift(design: Design, difference: float) -> float | None:
    """Find the shift with a true difference of this size; None if no shift up to 4 has it."""
    low, high = 0.0, 4.0
    if abs(compute_true_difference(replace(design, shift=high))) < difference:
        return None
    for _ in range(50):
        middle = (low + high) / 2
        if abs(compute_true_difference(replace(design, shift=middle))) < difference:
            low = middle
        else:
            high = middle
    return high


def draw_mean_difference(design: Design, random: np.random.Generator) -> float:
    """Draw one comparison, and return only the mean difference."""
    labels, answers = _draw_answers(design, random)
    if design.metric == "roc-auc":
        scores = [np.mean([_score_roc_auc(row, labels)[0] for row in one]) for one in answers]
    else:
        compute = _compute_f1 if design.metric == "f1" else _compute_mean
        scores = [compute(_build_sums(design.metric, one, labels).sum(axis=1)).mean() for one in answers]
    return float(scores[1] - scores[0])


def draw_study(design: Design, random: np.random.Generator) -> Study:
    """Draw one comparison."""
    labels, answers = _draw_answers(design, random)
    if design.metric == "roc-auc":
        results = [[_score_roc_auc(row, labels) for row in one] for one in answers]
        different = answers[0] != answers[1]
        swap_test = None
    else:
        sums = [_build_sums(design.metric, one, labels) for one in answers]
        compute = _compute_f1 if design.metric == "f1" else _compute_mean
        results = [[_apply_jackknife(row, compute) for row in one] for one in sums]
        different = (sums[0] != sums[1]).any(axis=2)
        swap_test = _swap_sums(sums[1], sums[0], compute, different.any(axis=0), random)
    scores = [np.array([score for score, _ in one]) for one in results]
    influences = [np.array([influence for _, influence in one]) for one in results]
    change = compute_typical_change(np.concatenate([one.ravel() for one in influences]))
    difference = ScoreInfluence(scores[1] - scores[0], influences[1] - influences[0], change, design.n_examples)
    return Study(difference, int(different.sum(axis=1).max()), swap_test)


def _draw_answers(design: Design, random: np.random.Generator) -> tuple[np.ndarray, list[Floats]]:
    """Draw the labels `(examples,)`, and what each variant answers `(seeds, examples)`."""
    n_seeds, n_examples, effects = design.n_seeds, design.n_examples, design.effects
    labels = random.random(n_examples) < POSITIVE_SHARE
    if not 2 <= labels.sum() <= n_examples - 2:  # so that F1 and ROC-AUC are defined without any example
        labels[:2], labels[2:4] = True, False
    difficulty = random.normal(size=n_examples)
    answers = []
    for shift in (0.0, design.shift):
        of_seed = shift + random.normal(0, design.seed_deviation, (n_seeds, 1))
        of_example = difficulty + random.normal(0, effects.example, n_examples)
        latent = of_example + random.normal(0, effects.both, (n_seeds, n_examples))
        answers.append(latent + (labels * (1 + of_seed) if design.metric == "roc-auc" else 1 + of_seed))
    return labels, answers


def _build_sums(metric: MetricName, latent: Floats, labels: np.ndarray) -> Floats:
    """Return the contributions of each example to the sums of a metric, `(seeds, examples, sums)`."""
    if metric == "f1":
        is_correct = latent > 0
        predicted = is_correct == labels
        return np.stack([predicted & labels, predicted & ~labels, ~predicted & labels], axis=-1).astype(np.float64)
    values = np.abs(latent) if metric == "mae" else (latent > 0).astype(np.float64)
    return np.stack([values, np.ones_like(values)], axis=-1)


def _compute_f1(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(compute_f1(sums)[..., 0])


def _compute_mean(sums: Floats) -> Floats:
    mean: Floats = sums[..., 0] / sums[..., 1]
    return mean


def _apply_jackknife(sums: Floats, compute: Callable[[Floats], Floats]) -> tuple[float, Floats]:
    total = sums.sum(axis=0)
    return float(compute(total)), compute_jackknife_influence(compute(total - sums))


def _swap_sums(
    first: Floats,
    second: Floats,
    compute: Callable[[Floats], Floats],
    discordant: np.ndarray,
    random: np.random.Generator,
) -> SwapTest:
    changes = (second - first)[:, discordant]
    totals = first.sum(axis=1), second.sum(axis=1)

    def compute_differences(masks: Masks) -> Floats:
        swapped = np.einsum("rk,sko->rso", masks.astype(np.float64), changes, optimize=True)
        mean: Floats = (compute(totals[0] + swapped) - compute(totals[1] - swapped)).mean(axis=1)
        return mean

    observed = float((compute(totals[0]) - compute(totals[1])).mean())
    return run_swap_test(observed, compute_differences, int(discordant.sum()), random, n_draws=200)


def _score_roc_auc(scores: Floats, labels: np.ndarray) -> tuple[float, Floats]:
    """Compute ROC-AUC and the influences from the scores without each example, by ranks."""
    n_positive, n_negative = int(labels.sum()), int((~labels).sum())
    ranks = rankdata(scores)
    wins = np.where(labels, 0.0, 0.0)
    wins[labels] = ranks[labels] - rankdata(scores[labels])  # negatives below each positive
    wins[~labels] = n_positive - (ranks[~labels] - rankdata(scores[~labels]))  # positives above each negative
    total = wins[labels].sum()
    n_pairs = np.where(labels, (n_positive - 1) * n_negative, n_positive * (n_negative - 1))
    return total / (n_positive * n_negative), compute_jackknife_influence((total - wins) / n_pairs)


def _compute_true_score(design: Design, shift: float) -> float:
    """Integrate the score over seeds; the score of one seed on all examples is known in closed form."""
    spread = (1 + design.effects.example**2 + design.effects.both**2) ** 0.5
    centers = 1 + shift + design.seed_deviation * NODES
    if design.metric == "roc-auc":
        values = ndtr(centers / (spread * 2**0.5))
    elif design.metric == "mae":
        z = centers / spread
        values = spread * (2 / np.pi) ** 0.5 * np.exp(-(z**2) / 2) + centers * (1 - 2 * ndtr(-z))
    else:
        p = ndtr(centers / spread)
        false_positives, false_negatives = (1 - POSITIVE_SHARE) * (1 - p), POSITIVE_SHARE * (1 - p)
        f1 = 2 * POSITIVE_SHARE * p / (2 * POSITIVE_SHARE * p + false_positives + false_negatives)
        values = f1 if design.metric == "f1" else p
    return float(WEIGHTS @ values)


def draw_sparse_study(
    n_seeds: int, n_examples: int, rate: float, is_shared: bool, lean: float, random: np.random.Generator
) -> Study:
    """Draw a comparison by accuracy of two variants that give the same answer to nearly all examples.

    Args:
        n_seeds: Number of seeds.
        n_examples: Number of test examples.
        rate: Expected share of examples with different answers, per seed.
        is_shared: Whether all seeds differ on the same examples, or each seed on its own.
        lean: From -1 to 1: how much more often the second variant is right; the true difference is `rate * lean`.
        random: The generator.
    """
    draws = random.random((1 if is_shared else n_seeds, n_examples))
    values = (draws < rate * (1 + lean) / 2).astype(float) - (draws > 1 - rate * (1 - lean) / 2)
    values = np.broadcast_to(values, (n_seeds, n_examples))
    influence = (values - values.mean(axis=1, keepdims=True)) / n_examples
    difference = ScoreInfluence(values.mean(axis=1), influence, 1 / n_examples, n_examples)
    values = values[:, (values != 0).any(axis=0)]

    def compute_differences(masks: Masks) -> Floats:
        differences: Floats = (1.0 - 2.0 * masks) @ values.mean(axis=0) / n_examples
        return differences

    observed = float(difference.scores.mean())
    swap_test = run_swap_test(observed, compute_differences, values.shape[1], random)
    return Study(difference, int((values != 0).sum(axis=1).max(initial=0)), swap_test)
