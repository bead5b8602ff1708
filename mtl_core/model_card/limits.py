"""What a reader must not expect, in plain words, drawn from the figures."""

from collections.abc import Iterator

from mtl_core.model_card.card import Card
from mtl_core.report.wording import count, counted, decimals, enumerated

FEW = 50
"""Training labels below which a class is called small."""
HALF = 0.5
NAMED = 12


def limits(card: Card) -> Iterator[str]:
    """Say what the figures cannot say, and what they say against the network."""
    yield (
        "It knows texts, or whatever its inputs are, only as its data has them. Another language, another field or "
        "another time was not tried, and an answer comes with a confidence there, too."
    )
    yield from _measured(card)
    yield from _small_classes(card)
    yield from _not_measured(card)
    yield from _missed_classes(card)
    yield from _confidence(card)
    yield (
        f"All figures are of one training, with seed {card.files.seed}. Another seed gives other figures; `mtl "
        "compare` says how far they lie apart."
    )


def _measured(card: Card) -> Iterator[str]:
    part = card.files.judged
    if part is None:
        yield "Nothing was measured: there was neither validation nor test data."
        return
    if part.part == "validation":
        yield "There was no test data. Its figures are of validation data, which also chose the epoch: too good."
    worse = [task.name for task in part.tasks if task.main is not None and task.main.better is False]
    if worse:
        yield f"No better than a baseline that has seen no input: {enumerated(worse, NAMED)}."
    unknown = [task.name for task in part.tasks if task.main is None or task.main.value is None]
    if unknown:
        yield f"Not measured, since no {part.part} label counts: {enumerated(unknown, NAMED)}."


def _small_classes(card: Card) -> Iterator[str]:
    small = [
        f"{task}: {name} ({count(number)})"
        for task, names in card.files.classes.items()
        for name in names
        if (number := card.labels("train", task).get(name)) is not None and number < FEW
    ]
    if small:
        yield f"Classes with fewer than {FEW} training labels, which teach little: {enumerated(small, NAMED)}."


def _not_measured(card: Card) -> Iterator[str]:
    part = card.files.judged
    if part is None:
        return
    absent = [f"{task.name}: {one.name}" for task in part.tasks for one in card.class_figures(task) if not one.n]
    if absent:
        yield f"No {part.part} data has these classes, so nothing is known of them: {enumerated(absent, NAMED)}."


def _missed_classes(card: Card) -> Iterator[str]:
    part = card.files.judged
    if part is None:
        return
    missed = [
        f"{task.name}: {one.name} ({one.right} of {one.n})"
        for task in part.tasks
        for one in card.class_figures(task)
        if one.recall is not None and one.recall < HALF
    ]
    if missed:
        yield f"Less than half of the {part.part} labels of these classes were found: {enumerated(missed, NAMED)}."


def _confidence(card: Card) -> Iterator[str]:
    if not card.calibration:
        yield "Probabilities were not calibrated: 0.9 need not mean right nine times in ten."
        return
    for one in card.calibration:
        yield (
            f"Calibrated on {counted(one.n, 'answer')} of validation data ({one.question}): there the expected "
            f"calibration error went from {decimals(one.before)} to {decimals(one.after)}; elsewhere it is larger."
        )


def use(card: Card) -> list[str]:
    """Say what it is for, as far as a framework can know."""
    tasks = list(card.kinds)
    return [
        f"For inputs like those it was trained on: it answers {counted(len(tasks), 'task')} about each "
        f"({enumerated(tasks, NAMED)}).",
        "For counts and trends over many inputs rather than for a verdict on one; the figures below say how often "
        "a single answer is wrong.",
        "Not for decisions about people without somebody who looks at them.",
    ]
