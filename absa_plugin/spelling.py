"""Reading an unknown word as a known one that is spelt alike."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

SIMILAR_ENOUGH = 0.5
"""Cosine of character n-grams; "delicous" and "delicious" have 0.7, unrelated words less than 0.3."""


class SpellingIndex:
    """Finds the known word whose character n-grams are most like a word's.

    Args:
        words: The known words.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word for word in words if len(word) > 2 and word.isalpha()]
        self._vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), lowercase=False)
        self._table = self._vectorizer.fit_transform(self._words) if self._words else None
        self.nearest = lru_cache(maxsize=100_000)(self._nearest)

    def _nearest(self, word: str) -> str | None:
        """The nearest word, or None if none is near enough."""
        if self._table is None or len(word) <= 2 or not word.isalpha():
            return None
        similarity = (self._table @ self._vectorizer.transform([word[:50]]).T).toarray()[:, 0]
        best = int(np.argmax(similarity))
        return self._words[best] if similarity[best] >= SIMILAR_ENOUGH else None
