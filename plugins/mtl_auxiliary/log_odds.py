"""Which words speak for one of two classes of texts."""

import math
from collections import Counter


def log_odds(first: Counter[str], second: Counter[str], prior: Counter[str]) -> dict[str, float]:
    """Compare how often words stand in two collections of texts, less surely the rarer they are.

    The log-odds ratio with an informative Dirichlet prior, as a z-score (Monroe, Colaresi and Quinn, 2008): counts
    are shrunk towards those of the prior, and the difference is divided by its standard deviation.

    Args:
        first: Word to its count in the first collection.
        second: The same of the second.
        prior: The same of all texts; it holds every word of either.

    Returns:
        Word to its z-score: positive if it speaks for the first collection, negative if for the second.
    """
    total = prior.total()
    firsts, seconds = first.total() + total, second.total() + total
    scores = {}
    for word, count in prior.items():
        one, other = first[word] + count, second[word] + count
        if one == firsts or other == seconds:  # there is no other word
            continue
        ratio = math.log(one / (firsts - one)) - math.log(other / (seconds - other))
        scores[word] = ratio / math.sqrt(1 / one + 1 / other)
    return scores


def strongest(scores: dict[str, float], count: int, least: float) -> list[str]:
    """Give at most `count` words of the highest scores, none of 0 or below `least`; ties go by the alphabet."""
    ranked = sorted((-score, word) for word, score in scores.items() if score > 0 and score >= least)
    return [word for _, word in ranked[:count]]
