"""The most confident mistakes, and which words the network looked at."""

from collections.abc import Iterator, Sequence

from mtl_core.report.blocks import Quote, Quotes, Section, Shaded, Words
from mtl_core.report.run_files import Mistake
from mtl_core.report.wording import percent

TASKS = 12
"""Tasks whose mistakes are told."""
NAMED = 3
"""Words whose weight is told in numbers."""
STRONGEST = 3.0
"""Times an even share of attention that have the strongest shade."""


def mistakes(found: Sequence[Mistake]) -> Section | None:
    """The section; None if there is no mistake."""
    by_task: dict[str, list[Mistake]] = {}
    for one in found:
        by_task.setdefault(one.task, []).append(one)
    if not by_task:
        return None
    said = "For each task, the wrong answers that the network was most sure of: what to read first."
    if any(one.attention for one in found):
        said += (
            " The shade of a word is the attention that the task's head gave it, the strongest at three times an "
            "even share. Where it looked is not always why."
        )
    if len(by_task) > TASKS:
        said += f" Of {len(by_task)} tasks, {TASKS} are told; the rest is in mistakes.jsonl."
    shown = list(by_task.items())[:TASKS]
    return Section(
        "mistakes",
        "Most confident mistakes",
        [Words([said]), *(Quotes(task, [_quote(one) for one in few]) for task, few in shown)],
    )


def _quote(one: Mistake) -> Quote:
    said = f"said {one.label}, {percent(one.confidence)} sure; it is {one.gold}"
    if not one.attention:
        return Quote([Shaded(one.text or "not a text")], said, [f"example {one.id}"])
    heaviest = sorted(zip(one.attention, one.tokens, strict=True), key=lambda pair: -pair[0])[:NAMED]
    weights = ", ".join(f"“{token}” {weight:.2f}" for weight, token in heaviest)
    return Quote(
        list(shaded(one.text, one.tokens, one.attention)),
        said,
        [f"looked most at {weights} (even: {1 / len(one.tokens):.2f})", f"example {one.id}"],
    )


def shaded(text: str, tokens: Sequence[str], weights: Sequence[float]) -> Iterator[Shaded]:
    """Cut a text into its tokens, each shaded by its weight, and what stands between them.

    Where the text is not made of these tokens, the tokens themselves are given.
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
    """Where each token begins; None if one of them is not in the text."""
    places, end = [], 0
    for token in tokens:
        place = text.find(token, end)
        if place < 0:
            return None
        places.append(place)
        end = place + len(token)
    return places
