"""The nearest spelling is the one of scikit-learn's TF-IDF vectors."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from absa_plugin.spelling import MIN_SIMILARITY, SpellingIndex

WORDS = st.text(alphabet="abcé", min_size=3, max_size=8)


@settings(max_examples=80, deadline=None)
@given(st.lists(WORDS, min_size=1, max_size=12, unique=True), st.lists(WORDS | st.text(max_size=5), max_size=5))
def test_nearest_word_has_the_largest_cosine_of_tfidf_vectors(known: list[str], words: list[str]) -> None:
    text = pytest.importorskip("sklearn.feature_extraction.text")
    vectorizer = text.TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), lowercase=False)
    matrix = vectorizer.fit_transform(known)
    index = SpellingIndex(known)
    for word in words:
        nearest = index.find_nearest(word)
        if len(word) < 3 or not word.isalpha():
            assert nearest is None
            continue
        similarity = (matrix @ vectorizer.transform([word]).T).toarray()[:, 0]
        if nearest is None:
            assert similarity.max() < MIN_SIMILARITY + 1e-12
        else:
            # Words of equal similarity differ by rounding.
            assert similarity[known.index(nearest)] == pytest.approx(similarity.max(), abs=1e-12)
            assert similarity.max() > MIN_SIMILARITY - 1e-12


def test_equal_similarity_selects_the_first_word() -> None:
    assert SpellingIndex(["abcdex", "abcdey"]).find_nearest("abcdez") == "abcdex"
    assert SpellingIndex(["abcdey", "abcdex"]).find_nearest("abcdez") == "abcdey"


def test_long_word_is_truncated() -> None:
    assert SpellingIndex(["a" * 50]).find_nearest("a" * 50 + "b" * 10_000) == "a" * 50
