"""A review's sentences, by rules that need no model and fit hasty writing in most scripts."""

import re
from collections.abc import Iterator

LONGEST = 400
"""Characters of a sentence; a longer one, such as a review without any full stop, is cut between words."""

_MARKS = ".!?\N{HORIZONTAL ELLIPSIS}\N{ARABIC QUESTION MARK}\N{ARABIC FULL STOP}\N{DEVANAGARI DANDA}"
_WIDE = "\N{IDEOGRAPHIC FULL STOP}\N{FULLWIDTH EXCLAMATION MARK}\N{FULLWIDTH QUESTION MARK}"
_OPENING = "\"'([\N{LEFT DOUBLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}"
_CLOSING = (
    "\"')\\]\N{RIGHT DOUBLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
    "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{RIGHT CORNER BRACKET}\N{FULLWIDTH RIGHT PARENTHESIS}"
)
# A sentence ends with a mark and a space; with the full stop of a script that has no spaces; at a line break; or
# where the space was forgotten: "great food.Service was slow". No part of a long run of marks is tried twice, so
# that time stays linear.
_END = re.compile(
    rf"(?P<mark>(?<![{_MARKS}])[{_MARKS}]++[{_CLOSING}]*+)\s+"
    rf"|[{_WIDE}]+[{_CLOSING}]*"
    r"|[\r\n\u2028\u2029]++"
    r"|(?<=[a-z]{3})[.!?]+(?=[A-Z][a-z])"
)
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(rf"(\S+?)[{_MARKS}]+$")
_ABBREVIATIONS = frozenset(
    ["mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "vs", "etc", "approx", "incl", "nr", "ca", "usw", "bzw"]
)
_DOTTED = frozenset(["e.g", "i.e", "a.m", "p.m", "u.s", "u.k", "z.b"])


def sentences_of(text: str) -> Iterator[str]:
    """Divide a text into sentences; what holds no letter, such as `10/10!`, belongs to the one before it.

    Args:
        text: Plain text, of any length; the time it takes grows with that and no faster.

    Yields:
        Sentences without surrounding spaces, none longer than `LONGEST`. A text without any letter has none.
    """
    held = ""
    for piece in _pieces(text):
        if held and _LETTER.search(piece):
            yield held
            held = piece
        elif held and len(held) + len(piece) < LONGEST:
            held = f"{held} {piece}"
        elif not held and _LETTER.search(piece):
            held = piece
    if held:
        yield held


def _pieces(text: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(text):
        if end["mark"] and _goes_on(text, start, end):
            continue
        yield from _short(text[start : end.end()].strip())
        start = end.end()
    yield from _short(text[start:].strip())


def _goes_on(text: str, start: int, end: re.Match[str]) -> bool:
    """Whether a mark ends no sentence: that of an abbreviation, or dots within one."""
    mark = end["mark"]
    after = text[end.end() : end.end() + 1]
    if mark[:1] == "\N{HORIZONTAL ELLIPSIS}" or mark.startswith(".."):
        return after.islower()
    if mark != ".":
        return False
    last = _WORD.search(text, max(start, end.start() - 20), end.start() + 1)
    word = last[1].lower().lstrip(_OPENING) if last else ""
    return word in _ABBREVIATIONS or word in _DOTTED or (len(word) == 1 and word.isalpha() and word != "i")


def _short(piece: str) -> Iterator[str]:
    start = 0
    while len(piece) - start > LONGEST:
        cut = piece.rfind(" ", start + LONGEST // 2, start + LONGEST)
        cut = start + LONGEST if cut < 0 else cut
        yield piece[start:cut].strip()
        start = cut
    if rest := piece[start:].strip():
        yield rest
