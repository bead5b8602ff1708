"""The section on the most confident mistakes, with attention weights."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mtl_core.artifacts.many_tasks import has_many_tasks
from mtl_core.artifacts.mistakes import Mistake
from mtl_core.data.input_format import format_cell_text
from mtl_core.reporting.blocks import Quote, Quotes, Section, TextBlock, TextSpan
from mtl_core.reporting.formatting import format_percent

MAX_TASKS = 12
"""Maximum number of tasks whose mistakes are shown."""
N_PRINTED_WEIGHTS = 3
"""Number of words whose attention weight is printed."""
MISSING_CELL = "—"
"""What is printed for a missing cell."""
FULL_SHADE_FACTOR = 3.0
"""Multiple of the uniform attention weight that has the strongest shade."""


def build_mistakes_section(mistakes: Sequence[Mistake], n_tasks: int) -> Section | None:
    """Build the section; None without mistakes.

    Args:
        mistakes: The mistakes.
        n_tasks: The number of main tasks of the run; the mistakes of many tasks are one list.
    """
    by_task: dict[str, list[Mistake]] = {}
    for mistake in mistakes:
        by_task.setdefault(mistake.task, []).append(mistake)
    if not by_task:
        return None
    has_one_list = has_many_tasks(n_tasks)
    text = f"The wrong predictions with the highest confidence, {'of all tasks' if has_one_list else 'for each task'}."
    if any(mistake.token_weights for mistake in mistakes):
        text += (
            " The shade of a word is its attention weight in the task's head, strongest at three times the uniform "
            "weight. Attention does not always explain a prediction."
        )
    if has_one_list:
        quotes = [_build_quote(mistake, f"{mistake.task}: ") for mistake in mistakes]
        return Section("mistakes", "Most confident mistakes", [TextBlock([text]), Quotes("All tasks", quotes)])
    if len(by_task) > MAX_TASKS:
        text += f" Of {len(by_task)} tasks, {MAX_TASKS} are shown; mistakes.jsonl contains all tasks."
    displayed = list(by_task.items())[:MAX_TASKS]
    return Section(
        "mistakes",
        "Most confident mistakes",
        [
            TextBlock([text]),
            *(Quotes(task, [_build_quote(mistake) for mistake in task_mistakes]) for task, task_mistakes in displayed),
        ],
    )


def _build_quote(mistake: Mistake, prefix: str = "") -> Quote:
    confidence = format_percent(mistake.confidence)
    prediction = f"{prefix}predicted {mistake.label} with confidence {confidence}; true label {mistake.gold}"
    token_weights = mistake.token_weights
    if mistake.inputs is not None:
        cells = list(_build_cells(mistake.inputs, token_weights))
        return Quote(
            [], prediction, [*_describe_weights(token_weights), f"example {mistake.id}"], mistake.image or "", cells
        )
    if not token_weights:
        # An example without a text, such as an array, is its id.
        text, notes = (mistake.text, [f"example {mistake.id}"]) if mistake.text else (f"example {mistake.id}", [])
        return Quote([TextSpan(text)], prediction, notes, mistake.image or "")
    return Quote(
        list(shade_tokens(mistake.text, *zip(*token_weights, strict=True))),
        prediction,
        [*_describe_weights(token_weights), f"example {mistake.id}"],
    )


def _build_cells(
    inputs: Mapping[str, Any], token_weights: Sequence[tuple[str, float]]
) -> Iterator[tuple[str, Sequence[TextSpan]]]:
    """Yield each column with the spans of its cell; the tokens of the first cell that contains them are shaded."""
    tokens = [token for token, _ in token_weights]
    for name, cell in inputs.items():
        text = format_cell_text(cell) or MISSING_CELL
        if tokens and _find_token_offsets(text, tokens) is not None:
            yield name, list(shade_tokens(text, tokens, [weight for _, weight in token_weights]))
            tokens = []
        else:
            yield name, [TextSpan(text)]


def _describe_weights(token_weights: Sequence[tuple[str, float]]) -> list[str]:
    """Return a note with the highest attention weights; no note without attention."""
    if not token_weights:
        return []
    largest_weights = sorted(token_weights, key=lambda pair: -pair[1])[:N_PRINTED_WEIGHTS]
    weights = ", ".join(f"“{token}” {weight:.2f}" for token, weight in largest_weights)
    return [f"highest attention: {weights} (uniform: {1 / len(token_weights):.2f})"]


def shade_tokens(text: str, tokens: Sequence[str], weights: Sequence[float]) -> Iterator[TextSpan]:
    """Split a text into spans: its tokens, shaded by attention weight, and the characters between them.

    If the text does not contain all tokens in this order, yield the tokens, separated by spaces.

    Args:
        text: The text.
        tokens: Its tokens.
        weights: The attention weight of each token.
    """
    full_shade_weight = FULL_SHADE_FACTOR / len(tokens) if tokens else 1.0
    heats = [min(weight / full_shade_weight, 1.0) for weight in weights]
    offsets = _find_token_offsets(text, tokens)
    if offsets is None:
        for token, heat in zip(tokens, heats, strict=True):
            yield TextSpan(token, heat)
            yield TextSpan(" ")
        return
    end = 0
    for offset, token, heat in zip(offsets, tokens, heats, strict=True):
        yield TextSpan(text[end:offset])
        end = offset + len(token)
        yield TextSpan(text[offset:end], heat)
    yield TextSpan(text[end:])


def _find_token_offsets(text: str, tokens: Sequence[str]) -> list[int] | None:
    """Return the start offset of each token; None if the text does not contain one of them."""
    offsets, end = [], 0
    for token in tokens:
        offset = text.find(token, end)
        if offset < 0:
            return None
        offsets.append(offset)
        end = offset + len(token)
    return offsets
