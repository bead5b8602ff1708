"""Inputs of text encoders: texts, and lists of words."""

import re
from collections.abc import Mapping

from mtl_core.errors import MtlError

_SURROGATE = re.compile("[\ud800-\udfff]")


def validate_text(value: object, encoder_type: str) -> str | tuple[str, ...]:
    """Require a text or a list of words; return a list as a tuple.

    Args:
        value: The input.
        encoder_type: The `type` of the encoder, for the message.

    Raises:
        MtlError: If the input is neither.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        raise MtlError(f"the encoder '{encoder_type}' reads texts, found a row of cells, which `columns` reads")
    if not isinstance(value, list | tuple):
        raise MtlError(f"the encoder '{encoder_type}' reads texts or lists of words, found {type(value).__name__}")
    for word in value:
        if not isinstance(word, str):
            raise MtlError(f"the encoder '{encoder_type}' reads lists of words, found {type(word).__name__} in a list")
    return tuple(value)


def replace_surrogates(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode, by the replacement character."""
    return _SURROGATE.sub("\ufffd", text)
