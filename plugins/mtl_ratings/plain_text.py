"""Conversion of HTML reviews to plain text."""

import re
from html import unescape

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
