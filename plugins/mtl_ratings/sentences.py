"""Sentences of reviews: removal of HTML, and rule-based splitting for carelessly written text in most scripts."""

import re
from collections.abc import Iterator
from html import unescape

MAX_SENTENCE_CHARACTERS = 400
"""Maximum number of characters per sentence; a longer one is split between words."""

_MARKS = ".!?\N{HORIZONTAL ELLIPSIS}\N{ARABIC QUESTION MARK}\N{ARABIC FULL STOP}\N{DEVANAGARI DANDA}"
_WIDE = "\N{IDEOGRAPHIC FULL STOP}\N{FULLWIDTH EXCLAMATION MARK}\N{FULLWIDTH QUESTION MARK}"
_OPENING = "\"'([\N{LEFT DOUBLE QUOTATION MARK}\N{LEFT SINGLE QUOTATION MARK}"
_CLOSING = (
    "\"')\\]\N{RIGHT DOUBLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}"
    "\N{RIGHT-POINTING DOUBLE ANGLE QUOTATION MARK}\N{RIGHT CORNER BRACKET}\N{FULLWIDTH RIGHT PARENTHESIS}"
)
# A sentence ends with a mark and a space; with the full stop of a script that has no spaces; at a line break; or
# where the space is missing: "great food.Service was slow". Possessive quantifiers prevent backtracking in a long
# run of marks, so that time is linear.
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

_BREAK = re.compile(r"</?(?:p|br|div|li|ul|ol|h[1-6]|tr|table|blockquote)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--[^<>]*-->")
_SPACES = re.compile(r"(?:[^\S\r\n\u2028\u2029]|[\x00-\x08\x0e-\x1f\x7f])+")


def strip_html(text: str) -> str:
    """Remove HTML: block tags become line breaks, other tags become spaces, and entities are unescaped.

    Text that only resembles a tag is kept, such as `<3` and `a < b`. A run of spaces and control characters becomes
    one space.
    """
    if "<" in text:
        text = _TAG.sub(" ", _BREAK.sub("\n", text))
    if "&" in text:
        text = unescape(text)
    return _SPACES.sub(" ", text)


def split_sentences(text: str) -> Iterator[str]:
    """Split a text into sentences; a part without letters, such as `10/10!`, is appended to the previous sentence.

    Args:
        text: Plain text of any length; the time is linear in the length.

    Yields:
        Sentences without surrounding spaces, at most `MAX_SENTENCE_CHARACTERS` characters long. A text without
        letters has none.
    """
    sentence = ""
    for segment in _split_at_marks(text):
        if sentence and _LETTER.search(segment):
            yield sentence
            sentence = segment
        elif sentence and len(sentence) + len(segment) < MAX_SENTENCE_CHARACTERS:
            sentence = f"{sentence} {segment}"
        elif not sentence and _LETTER.search(segment):
            sentence = segment
    if sentence:
        yield sentence


def _split_at_marks(text: str) -> Iterator[str]:
    start = 0
    for end in _END.finditer(text):
        if end["mark"] and _is_inside_sentence(text, start, end):
            continue
        yield from _split_long(text[start : end.end()].strip())
        start = end.end()
    yield from _split_long(text[start:].strip())


def _is_inside_sentence(text: str, start: int, end: re.Match[str]) -> bool:
    """Return whether a mark does not end a sentence, as in an abbreviation or an ellipsis within a sentence."""
    mark = end["mark"]
    next_character = text[end.end() : end.end() + 1]
    if mark[:1] == "\N{HORIZONTAL ELLIPSIS}" or mark.startswith(".."):
        return next_character.islower()
    if mark != ".":
        return False
    last_match = _WORD.search(text, max(start, end.start() - 20), end.start() + 1)
    word = last_match[1].lower().lstrip(_OPENING) if last_match else ""
    return word in _ABBREVIATIONS or word in _DOTTED or (len(word) == 1 and word.isalpha() and word != "i")


def _split_long(segment: str) -> Iterator[str]:
    start = 0
    while len(segment) - start > MAX_SENTENCE_CHARACTERS:
        split_index = segment.rfind(" ", start + MAX_SENTENCE_CHARACTERS // 2, start + MAX_SENTENCE_CHARACTERS)
        split_index = start + MAX_SENTENCE_CHARACTERS if split_index < 0 else split_index
        yield segment[start:split_index].strip()
        start = split_index
    if remainder := segment[start:].strip():
        yield remainder
