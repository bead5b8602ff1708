"""Closed forms of the area under the ROC curve, compared with the area itself."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from mtl_core.statistics.roc_auc import compute_exchanged_auc, compute_leave_one_out_auc, compute_wins


def draw_labels(seed: int, n_labels: int = 40) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Return the scores of two rankings, with ties, and labels."""
    random = np.random.default_rng(seed)
    first, second = ((random.integers(0, 12, n_labels) / 4).astype(np.float32) for _ in range(2))
    return first, second, random.random(n_labels) < 0.3


@pytest.mark.parametrize("seed", range(4))
def test_wins_are_those_of_all_pairs(seed: int) -> None:
    scores, _, is_positive = draw_labels(seed)
    wins = compute_wins(scores, is_positive)
    for index, score in enumerate(scores):
        others = scores[is_positive != is_positive[index]]
        better = others < score if is_positive[index] else others > score
        assert wins[index] == better.sum() + (others == score).sum() / 2


@pytest.mark.parametrize("seed", range(4))
def test_areas_without_a_label_are_those_of_the_other_labels(seed: int) -> None:
    scores, _, is_positive = draw_labels(seed)
    expected = []
    for index in range(len(scores)):
        keep = np.arange(len(scores)) != index
        expected.append(roc_auc_score(is_positive[keep], scores[keep]))
    assert compute_leave_one_out_auc(scores, is_positive) == pytest.approx(expected)


def test_areas_without_the_only_positive_label_are_undefined() -> None:
    areas = compute_leave_one_out_auc(np.array([1, 2, 3], dtype=np.float32), np.array([False, False, True]))
    assert np.isnan(areas).tolist() == [False, False, True]
    assert np.isnan(compute_leave_one_out_auc(np.ones(2, dtype=np.float32), np.array([True, True]))).all()


@pytest.mark.parametrize("seed", range(4))
def test_exchanged_areas_are_those_of_exchanged_scores(seed: int) -> None:
    first, second, is_positive = draw_labels(seed)
    masks = np.random.default_rng(seed).random((20, len(first))) < 0.5
    areas = compute_exchanged_auc(first, second, is_positive, masks)
    for index, mask in enumerate(masks):
        exchanged = np.where(mask, second, first), np.where(mask, first, second)
        for ranking, scores in zip(areas, exchanged, strict=True):
            assert ranking[index] == pytest.approx(roc_auc_score(is_positive, scores))


def test_exchanged_areas_without_a_pair_are_undefined() -> None:
    scores = np.arange(3, dtype=np.float32)
    areas = compute_exchanged_auc(scores, scores, np.ones(3, dtype=bool), np.zeros((2, 3), dtype=bool))
    assert np.isnan(areas).all()
