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
        return self.effects.seed / self.n_examples**0.5


@dataclass(frozen=True)
class Study:
    """One simulated comparison.

    Attributes:
        difference: The difference between the variants.
        n_discordant: Number of examples that they answer differently with any seed.
    """

    difference: ScoreInfluence
    n_discordant: int


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


def draw_study(design: Design, random: np.random.Generator) -> Study:
    """Draw one comparison."""
    n_seeds, n_examples, effects = design.n_seeds, design.n_examples, design.effects
    labels = random.random(n_examples) < POSITIVE_SHARE
    if not 2 <= labels.sum() <= n_examples - 2:  # so that F1 and ROC-AUC are defined without any example
        labels[:2], labels[2:4] = True, False
    difficulty = random.normal(size=n_examples)
    scores, influences, answers = [], [], []
    for shift in (0.0, design.shift):
        of_seed = shift + random.normal(0, design.seed_deviation, (n_seeds, 1))
        of_example = difficulty + random.normal(0, effects.example, n_examples)
        of_both = random.normal(0, effects.both, (n_seeds, n_examples))
        latent = of_example + of_both
        if design.metric == "roc-auc":
            answer = latent + labels * (1 + of_seed)
            results = [_score_roc_auc(row, labels) for row in answer]
        else:
            answer, results = _score_sums(design.metric, latent + 1 + of_seed, labels)
        scores.append(np.array([score for score, _ in results]))
        influences.append(np.array([influence for _, influence in results]))
        answers.append(answer)
    change = compute_typical_change(np.concatenate([one.ravel() for one in influences]))
    difference = ScoreInfluence(scores[1] - scores[0], influences[1] - influences[0], change, n_examples)
    return Study(difference, int((answers[0] != answers[1]).any(axis=0).sum()))


def _score_sums(
    metric: MetricName, latent: Floats, labels: np.ndarray
) -> tuple[np.ndarray, list[tuple[float, Floats]]]:
    """Return the answers, and the score and the influences of each seed."""
    if metric == "mae":
        answers = np.abs(latent)
        return answers, [_apply_jackknife(row[:, None], lambda sums: sums[..., 0]) for row in answers]
    is_correct = latent > 0
    if metric == "accuracy":
        return is_correct, [
            _apply_jackknife(row[:, None].astype(float), lambda sums: sums[..., 0]) for row in is_correct
        ]
    predicted = is_correct == labels
    confusion = np.stack([predicted & labels, predicted & ~labels, ~predicted & labels], axis=-1).astype(float)
    return is_correct, [_apply_jackknife(row, _compute_f1, is_mean=False) for row in confusion]


def _compute_f1(sums: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.nan_to_num(compute_f1(sums)[..., 0])


def _apply_jackknife(sums: Floats, compute: Callable[[Floats], Floats], is_mean: bool = True) -> tuple[float, Floats]:
    total, n = sums.sum(axis=0), len(sums)
    score, without = compute(total), compute(total - sums)
    if is_mean:
        score, without = score / n, without / (n - 1)
    return float(score), compute_jackknife_influence(without)


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
    """Draw a comparison by accuracy of two variants that answer nearly all examples alike.

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
    return Study(difference, int((values != 0).any(axis=0).sum()))
