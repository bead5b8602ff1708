"""Validation of texts before prediction."""

import re

from mtl_core.runs.predict import Question
from mtl_core.serving.limits import Limits
from mtl_core.serving.problems import Problem

_LONE = re.compile("[\ud800-\udfff]")


def question(text: str, name: str | int | None, number: int, where: str, limits: Limits) -> Question | Problem:
    """Convert a text of a request into an input of the network, or return its validation error.

    Args:
        text: The text.
        name: The id in the request.
        number: The number of the text, which is its id if the request has none.
        where: The location of the text in the request.
        limits: The limits of the server.
    """
    found = str(number) if name is None else str(name)
    if len(text) > limits.max_text:
        return Problem(422, where, f"{len(text):,} characters", f"at most {limits.max_text:,}")
    if not text.strip():
        return Problem(422, where, "an empty text", "at least one word")
    for place, whole in ((f"{where} (its id)", found), (where, text)):
        if lone := _LONE.search(whole):
            what = f"an unpaired surrogate, U+{ord(lone[0]):X}, at {lone.start()}"
            return Problem(422, place, what, "valid Unicode, in which UTF-16 surrogates are paired")
    return Question(found, text, where)
