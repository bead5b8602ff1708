"""The known word with the most similar spelling."""

from collections.abc import Iterable, Sequence

from sklearn.feature_extraction.text import TfidfVectorizer

SIMILAR_ENOUGH = 0.5
"""Minimum cosine similarity of character n-grams; "delicous", "delicious": 0.7; unrelated words: below 0.3."""
KEPT_ANSWERS = 100_000
"""Maximum number of cached results; a larger cache is cleared."""
AT_ONCE = 256
"""Number of words per similarity matrix, which has one column per word."""


class SpellingIndex:
    """Index of known words by character n-grams, for nearest-neighbour search.

    Args:
        words: The known words.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [word for word in words if len(word) > 2 and word.isalpha()]
        self._vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), lowercase=False)
        self._table = self._vectorizer.fit_transform(self._words) if self._words else None
        self._answers: dict[str, str | None] = {}

    def nearest(self, word: str) -> str | None:
        """Return the most similar known word, or None if no word is similar enough."""
        if word not in self._answers:
            self.look_up([word])
        return self._answers[word]

    def look_up(self, words: Iterable[str]) -> None:
        """Look up many words in one call, which takes a twentieth of the time of one call per word."""
        new = [word for word in dict.fromkeys(words) if word not in self._answers]
        if len(self._answers) + len(new) > KEPT_ANSWERS:
            self._answers.clear()
        self._answers.update(dict.fromkeys(new))
        if self._table is None:
            return
        readable = [word for word in new if len(word) > 2 and word.isalpha()]
        for start in range(0, len(readable), AT_ONCE):
            some = readable[start : start + AT_ONCE]
            similarity = (self._table @ self._vectorizer.transform([word[:50] for word in some]).T).toarray()
            for word, best, near in zip(some, similarity.argmax(axis=0), similarity.max(axis=0), strict=True):
                self._answers[word] = self._words[best] if near >= SIMILAR_ENOUGH else None
