"""Log-odds ratios of words between two classes of texts."""

import math
from collections import Counter


def log_odds(first: Counter[str], second: Counter[str], prior: Counter[str]) -> dict[str, float]:
    """Compute the log-odds ratio of each word between two collections of texts, as a z-score.

    The log-odds ratio with an informative Dirichlet prior (Monroe, Colaresi and Quinn, 2008): counts are shrunk
    towards those of the prior, and the difference is divided by its standard deviation.

    Args:
        first: Mapping of word to count in the first collection.
        second: Mapping of word to count in the second collection.
        prior: Mapping of word to count in all texts; it contains every word of both collections.

    Returns:
        Mapping of word to z-score: positive for words of the first collection, negative for words of the second.
    """
    total = prior.total()
    firsts, seconds = first.total() + total, second.total() + total
    scores = {}
    for word, count in prior.items():
        one, other = first[word] + count, second[word] + count
        if one == firsts or other == seconds:  # the collection contains no other word
            continue
        ratio = math.log(one / (firsts - one)) - math.log(other / (seconds - other))
        scores[word] = ratio / math.sqrt(1 / one + 1 / other)
    return scores


def strongest(scores: dict[str, float], count: int, least: float) -> list[str]:
    """Return the up to `count` words with the highest positive scores, at least `least`; sort ties by name."""
    ranked = sorted((-score, word) for word, score in scores.items() if score > 0 and score >= least)
    return [word for _, word in ranked[:count]]
