"""The known word with the most similar spelling."""

from collections.abc import Iterable, Sequence

from sklearn.feature_extraction.text import TfidfVectorizer

MIN_SIMILARITY = 0.5
"""Minimum cosine similarity of character n-grams; "delicous", "delicious": 0.7; unrelated words: below 0.3."""
MAX_CACHED_WORDS = 100_000
"""Maximum number of cached results; a larger cache is cleared."""
BATCH_SIZE = 256
"""Number of words per similarity matrix, which has one column per word."""


class SpellingIndex:
    """Index of known words by character n-grams, for nearest-neighbour search.

    Args:
        words: The known words.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word for word in words if len(word) > 2 and word.isalpha()]
        self._vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), lowercase=False)
        self._matrix = self._vectorizer.fit_transform(self._words) if self._words else None
        self._cache: dict[str, str | None] = {}

    def find_nearest(self, word: str) -> str | None:
        """Return the most similar known word, or None if no word is similar enough."""
        if word not in self._cache:
            self.look_up([word])
        return self._cache[word]

    def look_up(self, words: Iterable[str]) -> None:
        """Look up many words in one call, which takes a twentieth of the time of one call per word."""
        new_words = [word for word in dict.fromkeys(words) if word not in self._cache]
        if len(self._cache) + len(new_words) > MAX_CACHED_WORDS:
            self._cache.clear()
        self._cache.update(dict.fromkeys(new_words))
        if self._matrix is None:
            return
        valid_words = [word for word in new_words if len(word) > 2 and word.isalpha()]
        for start in range(0, len(valid_words), BATCH_SIZE):
            batch = valid_words[start : start + BATCH_SIZE]
            similarity = (self._matrix @ self._vectorizer.transform([word[:50] for word in batch]).T).toarray()
            for word, nearest_index, score in zip(
                batch, similarity.argmax(axis=0), similarity.max(axis=0), strict=True
            ):
                self._cache[word] = self._words[nearest_index] if score >= MIN_SIMILARITY else None
