"""From a review as a web site stores it to plain text."""

import re
from html import unescape

_BREAK = re.compile(r"</?(?:p|br|div|li|ul|ol|h[1-6]|tr|table|blockquote)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*>|<!--[^<>]*-->")
_SPACES = re.compile(r"(?:[^\S\r\n\u2028\u2029]|[\x00-\x08\x0e-\x1f\x7f])+")


def plain_text(text: str) -> str:
    """Take HTML out: tags of paragraphs become line breaks, others spaces, and `&amp;` an ampersand.

    What only looks like a tag stays: `<3`, `a < b`. Spaces are single ones then, and control characters are gone.
    """
    if "<" in text:
        text = _TAG.sub(" ", _BREAK.sub("\n", text))
    if "&" in text:
        text = unescape(text)
    return _SPACES.sub(" ", text)
