"""What a text must be before the network is asked."""

import re

from mtl_core.runs.predict import Question
from mtl_core.serving.limits import Limits
from mtl_core.serving.problems import Problem

_LONE = re.compile("[\ud800-\udfff]")


def question(text: str, name: str | int | None, number: int, where: str, limits: Limits) -> Question | Problem:
    """Make a question of a text, or say what is wrong with it.

    Args:
        text: As it was sent.
        name: The id that was sent.
        number: The text's number, its id if none was sent.
        where: Where it stands in the request.
        limits: The server's.
    """
    found = str(number) if name is None else str(name)
    if len(text) > limits.max_text:
        return Problem(422, where, f"{len(text):,} characters", f"at most {limits.max_text:,}")
    if not text.strip():
        return Problem(422, where, "an empty text", "at least one word")
    for place, whole in ((f"{where} (its id)", found), (where, text)):
        if lone := _LONE.search(whole):
            what = f"half a character, U+{ord(lone[0]):X}, at {lone.start()}"
            return Problem(422, place, what, "whole characters: UTF-16 surrogates come in pairs")
    return Question(found, text, where)
