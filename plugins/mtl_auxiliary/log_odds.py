"""Log-odds ratios of words between two classes of texts."""

import math
from collections import Counter


def compute_log_odds(
    first_counts: Counter[str], second_counts: Counter[str], prior_counts: Counter[str]
) -> dict[str, float]:
    """Compute the log-odds ratio of each word between two collections of texts, as a z-score.

    The log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn, 2008): counts are shrunk
    towards those of the prior, and the difference is divided by its standard deviation.

    Args:
        first_counts: Mapping of word to count in the first collection.
        second_counts: Mapping of word to count in the second collection.
        prior_counts: Mapping of word to count in all texts; it contains every word of both collections.

    Returns:
        Mapping of word to z-score: positive for words of the first collection, negative for words of the second.
    """
    prior_total = prior_counts.total()
    first_total, second_total = first_counts.total() + prior_total, second_counts.total() + prior_total
    scores = {}
    for word, count in prior_counts.items():
        first_count, second_count = first_counts[word] + count, second_counts[word] + count
        if first_count == first_total or second_count == second_total:  # the collection contains no other word
            continue
        ratio = math.log(first_count / (first_total - first_count)) - math.log(
            second_count / (second_total - second_count)
        )
        scores[word] = ratio / math.sqrt(1 / first_count + 1 / second_count)
    return scores


def select_top_words(scores: dict[str, float], max_words: int, min_score: float) -> list[str]:
    """Return the words with the highest positive scores, at most `max_words`; sort ties by name."""
    ranked = sorted((-score, word) for word, score in scores.items() if score > 0 and score >= min_score)
    return [word for _, word in ranked[:max_words]]
