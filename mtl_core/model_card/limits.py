"""The limits and the intended use of a network, derived from the scores of a run."""

from collections.abc import Iterator

from mtl_core.model_card.card import Card
from mtl_core.report.wording import count, counted, decimals, enumerated

FEW = 50
"""Number of training labels below which a class counts as small."""
HALF = 0.5
NAMED = 12


def limits(card: Card) -> Iterator[str]:
    """Yield the limits of a network: what was not evaluated, and where it performs badly."""
    yield (
        "The network is trained and evaluated on its data only. Other languages, domains and time periods are not "
        "tested; the network returns predictions with a confidence for them, too."
    )
    yield from _measured(card)
    yield from _small_classes(card)
    yield from _not_measured(card)
    yield from _missed_classes(card)
    yield from _confidence(card)
    yield (
        f"All scores are from one training, with seed {card.files.seed}. Other seeds lead to other scores; `mtl "
        "compare` measures the variation."
    )


def _measured(card: Card) -> Iterator[str]:
    part = card.files.judged
    if part is None:
        yield "There are no scores: the run has neither a validation split nor a test split."
        return
    if part.part == "validation":
        yield "There is no test split. Validation scores are too optimistic: the split also selects the epoch."
    worse = [task.name for task in part.tasks if task.main is not None and task.main.better is False]
    if worse:
        yield f"No better than the baseline, which ignores the input: {enumerated(worse, NAMED)}."
    unknown = [task.name for task in part.tasks if task.main is None or task.main.value is None]
    if unknown:
        yield f"No score, since the {part.part} split has no valid label: {enumerated(unknown, NAMED)}."


def _small_classes(card: Card) -> Iterator[str]:
    small = [
        f"{task}: {name} ({count(number)})"
        for task, names in card.files.classes.items()
        for name in names
        if (number := card.labels("train", task).get(name)) is not None and number < FEW
    ]
    if small:
        yield f"Classes with fewer than {FEW} training labels: {enumerated(small, NAMED)}."


def _not_measured(card: Card) -> Iterator[str]:
    part = card.files.judged
    if part is None:
        return
    absent = [f"{task.name}: {one.name}" for task in part.tasks for one in card.class_figures(task) if not one.n]
    if absent:
        yield f"The {part.part} split has no labels of these classes: {enumerated(absent, NAMED)}."


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
        yield f"Recall below one half on the {part.part} split: {enumerated(missed, NAMED)}."


def _confidence(card: Card) -> Iterator[str]:
    if not card.calibration:
        yield "Probabilities are not calibrated: 0.9 does not mean that nine in ten are correct."
        return
    for one in card.calibration:
        yield (
            f"Calibrated on {counted(one.n, 'prediction')} of the validation split ({one.question}): the expected "
            f"calibration error is {decimals(one.before)} before and {decimals(one.after)} after it."
        )


def use(card: Card) -> list[str]:
    """Return the intended use of a network."""
    tasks = list(card.kinds)
    return [
        f"For inputs similar to the training data: it predicts {counted(len(tasks), 'task')} per input "
        f"({enumerated(tasks, NAMED)}).",
        "For counts and trends over many inputs rather than for decisions about a single one; the scores below "
        "show how often a single prediction is wrong.",
        "Not for decisions about people without human review.",
    ]
