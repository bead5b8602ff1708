"""The known word with the most similar spelling."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

MIN_SIMILARITY = 0.5
"""Minimum cosine similarity of character n-grams; "delicous", "delicious": 0.7; unrelated words: below 0.3."""
MAX_CACHED_WORDS = 100_000
"""Maximum number of cached results; a larger cache is cleared."""
MAX_LENGTH = 50
"""Number of characters of a word that are looked up."""
NGRAM_LENGTHS = (2, 3, 4)
"""Lengths of the character n-grams of a word with a space at both ends."""


class SpellingIndex:
    """Index of known words by character n-grams, for nearest-neighbour search.

    Words are compared by the cosine of their TF-IDF vectors over n-grams, with smoothed document frequencies: those of
    scikit-learn's `TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4))`.

    Args:
        words: The known words.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word for word in words if _has_spelling(word)]
        self._cache: dict[str, str | None] = {}
        counts = [_count_ngrams(word) for word in self._words]
        frequencies = Counter(ngram for word_counts in counts for ngram in word_counts)
        self._idf = {
            ngram: float(np.log((1 + len(self._words)) / (1 + frequency))) + 1
            for ngram, frequency in frequencies.items()
        }
        entries: dict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
        for row, word_counts in enumerate(counts):
            for ngram, weight in self._weight_ngrams(word_counts).items():
                rows, weights = entries[ngram]
                rows.append(row)
                weights.append(weight)
        self._entries: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]] = {
            ngram: (np.array(rows), np.array(weights)) for ngram, (rows, weights) in entries.items()
        }

    def find_nearest(self, word: str) -> str | None:
        """Return the most similar known word, or None if no word is similar enough."""
        if word not in self._cache:
            self.look_up([word])
        return self._cache[word]

    def look_up(self, words: Iterable[str]) -> None:
        """Look up words and cache the results."""
        new_words = [word for word in dict.fromkeys(words) if word not in self._cache]
        if len(self._cache) + len(new_words) > MAX_CACHED_WORDS:
            self._cache.clear()
        for word in new_words:
            self._cache[word] = self._search(word) if self._words and _has_spelling(word) else None

    def _search(self, word: str) -> str | None:
        similarity = np.zeros(len(self._words))
        for ngram, weight in self._weight_ngrams(_count_ngrams(word[:MAX_LENGTH])).items():
            rows, weights = self._entries[ngram]
            similarity[rows] += weight * weights
        nearest_index = int(similarity.argmax())
        return self._words[nearest_index] if similarity[nearest_index] >= MIN_SIMILARITY else None

    def _weight_ngrams(self, counts: Counter[str]) -> dict[str, float]:
        """Return the TF-IDF vector of length 1, without n-grams of no known word."""
        weights = {ngram: count * self._idf[ngram] for ngram, count in counts.items() if ngram in self._idf}
        norm = sum(weight**2 for weight in weights.values()) ** 0.5
        return {ngram: weight / norm for ngram, weight in weights.items()}


def _has_spelling(word: str) -> bool:
    return len(word) > 2 and word.isalpha()


def _count_ngrams(word: str) -> Counter[str]:
    padded = f" {word} "
    return Counter(
        padded[start : start + length] for length in NGRAM_LENGTHS for start in range(len(padded) - length + 1)
    )
