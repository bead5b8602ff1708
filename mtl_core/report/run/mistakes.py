"""The section on the most confident mistakes, with attention weights."""

from collections.abc import Iterator, Sequence

from mtl_core.report.blocks import Quote, Quotes, Section, Shaded, Words
from mtl_core.report.run_files import Mistake
from mtl_core.report.wording import percent

TASKS = 12
"""Maximum number of tasks whose mistakes are shown."""
NAMED = 3
"""Number of words whose attention weight is printed."""
STRONGEST = 3.0
"""Multiple of the uniform attention weight that has the strongest shade."""


def mistakes(found: Sequence[Mistake]) -> Section | None:
    """Build the section; None without mistakes."""
    by_task: dict[str, list[Mistake]] = {}
    for one in found:
        by_task.setdefault(one.task, []).append(one)
    if not by_task:
        return None
    said = "The wrong predictions with the highest confidence, for each task."
    if any(one.attention for one in found):
        said += (
            " The shade of a word is its attention weight in the task's head, strongest at three times the uniform "
            "weight. Attention does not always explain a prediction."
        )
    if len(by_task) > TASKS:
        said += f" Of {len(by_task)} tasks, {TASKS} are shown; mistakes.jsonl contains all tasks."
    shown = list(by_task.items())[:TASKS]
    return Section(
        "mistakes",
        "Most confident mistakes",
        [Words([said]), *(Quotes(task, [_quote(one) for one in few]) for task, few in shown)],
    )


def _quote(one: Mistake) -> Quote:
    said = f"predicted {one.label} with confidence {percent(one.confidence)}; true label {one.gold}"
    if not one.attention:
        return Quote([Shaded(one.text or "not a text")], said, [f"example {one.id}"])
    heaviest = sorted(zip(one.attention, one.tokens, strict=True), key=lambda pair: -pair[0])[:NAMED]
    weights = ", ".join(f"“{token}” {weight:.2f}" for weight, token in heaviest)
    return Quote(
        list(shaded(one.text, one.tokens, one.attention)),
        said,
        [f"highest attention: {weights} (uniform: {1 / len(one.tokens):.2f})", f"example {one.id}"],
    )


def shaded(text: str, tokens: Sequence[str], weights: Sequence[float]) -> Iterator[Shaded]:
    """Split a text into spans: its tokens, shaded by attention weight, and the characters between them.

    If the text does not contain all tokens in this order, yield the tokens, separated by spaces.

    Args:
        text: The text.
        tokens: Its tokens.
        weights: The attention weight of each token.
    """
    places = _places(text, tokens)
    full = STRONGEST / len(tokens) if tokens else 1.0
    heats = [min(weight / full, 1.0) for weight in weights]
    places = _places(text, tokens)
    if places is None:
        for token, heat in zip(tokens, heats, strict=True):
            yield Shaded(token, heat)
            yield Shaded(" ")
        return
    end = 0
    for place, token, heat in zip(places, tokens, heats, strict=True):
        yield Shaded(text[end:place])
        end = place + len(token)
        yield Shaded(text[place:end], heat)
    yield Shaded(text[end:])


def _places(text: str, tokens: Sequence[str]) -> list[int] | None:
    """Return the start offset of each token; None if the text does not contain one of them."""
    places, end = [], 0
    for token in tokens:
        place = text.find(token, end)
        if place < 0:
            return None
        places.append(place)
        end = place + len(token)
    return places
