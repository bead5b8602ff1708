"""The words of inputs, for auxiliary tasks whose labels are made of them."""

from collections import Counter
from collections.abc import Iterable, Iterator

from mtl_core import MtlError
from mtl_core.data.auxiliary import AuxiliaryData


def require_words(data: AuxiliaryData) -> None:
    """Refuse inputs that are no texts.

    Raises:
        MtlError: If no training example has a word.
    """
    if not any(data.words(row) for row in data.train.tolist()):
        raise MtlError(
            "its labels are made of words, but the encoder finds none in any training input; "
            "it needs an encoder of texts (`mtl plugins` lists those that are installed)"
        )


def same_word(word: str) -> str:
    """Give what all spellings of a word in capital and small letters have in common."""
    return word.casefold()


def all_words(data: AuxiliaryData) -> Iterator[list[str]]:
    """The words of every example, in the corpus's order."""
    return (data.words(row) for row in range(len(data.corpus)))


def count_words(data: AuxiliaryData, rows: Iterable[int]) -> Counter[str]:
    """Count the words of some examples, as `same_word` gives them."""
    return Counter(same_word(word) for row in rows for word in data.words(row))
