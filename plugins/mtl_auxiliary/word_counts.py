"""The words of inputs and their counts, for auxiliary tasks."""

from collections import Counter
from collections.abc import Iterable, Iterator

from mtl_core import AuxiliaryData, MtlError


def require_words(data: AuxiliaryData) -> None:
    """Require that inputs are texts.

    Raises:
        MtlError: If no training example contains a word.
    """
    if not any(data.words(row) for row in data.train_rows.tolist()):
        raise MtlError(
            "its labels are derived from words, but the encoder finds no words in the training inputs; "
            "it needs a text encoder (`mtl plugins` lists the installed encoders)"
        )


def normalize_word(word: str) -> str:
    """Return the word in lower case, so that all capitalizations of a word are equal."""
    return word.casefold()


def iterate_words(data: AuxiliaryData) -> Iterator[list[str]]:
    """Yield the words of every example, in the order of the corpus."""
    return (data.words(row) for row in range(len(data.corpus)))


def count_words(data: AuxiliaryData, rows: Iterable[int]) -> Counter[str]:
    """Count the words of some examples, normalized by `normalize_word`."""
    return Counter(normalize_word(word) for row in rows for word in data.words(row))
