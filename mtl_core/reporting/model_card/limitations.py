"""The limits and the intended use of a network, derived from the scores of a run."""

from collections.abc import Iterator

from mtl_core.reporting.formatting import format_count, format_metric, join_with_and, pluralize
from mtl_core.reporting.model_card.card import Card

MIN_LABELS = 50
"""Number of training labels below which a class counts as small."""
MIN_RECALL = 0.5
MAX_NAMES = 12


def describe_limits(card: Card) -> Iterator[str]:
    """Yield the limits of a network: what was not evaluated, and where it performs badly."""
    yield (
        "The network is trained and evaluated on its data only. Other languages, domains and time periods are not "
        "tested; the network returns predictions with a confidence for them, too."
    )
    yield from _describe_scores(card)
    yield from _describe_small_classes(card)
    yield from _describe_missing_classes(card)
    yield from _describe_missed_classes(card)
    yield from _describe_calibration(card)
    yield (
        f"All scores are from one training, with seed {card.files.seed}. Other seeds lead to other scores; `mtl "
        "compare` measures the variation."
    )


def _describe_scores(card: Card) -> Iterator[str]:
    split_scores = card.files.main_split
    if split_scores is None:
        yield "There are no scores: the run has neither a validation split nor a test split."
        return
    if split_scores.split_name == "validation":
        yield "There is no test split. Validation scores are too optimistic: the split also selects the epoch."
    worse = [
        task.name
        for task in split_scores.tasks
        if task.main_metric is not None and task.main_metric.is_better_than_baseline is False
    ]
    if worse:
        yield f"No better than the baseline, which ignores the input: {join_with_and(worse, MAX_NAMES)}."
    unknown = [task.name for task in split_scores.tasks if task.main_metric is None or task.main_metric.value is None]
    if unknown:
        names = join_with_and(unknown, MAX_NAMES)
        yield f"No score, since the {split_scores.split_name} split has no valid label: {names}."


def _describe_small_classes(card: Card) -> Iterator[str]:
    small = [
        f"{task}: {name} ({format_count(number)})"
        for task, names in card.files.classes.items()
        for name in names
        if (number := card.get_label_counts("train", task).get(name)) is not None and number < MIN_LABELS
    ]
    if small:
        yield f"Classes with fewer than {MIN_LABELS} training labels: {join_with_and(small, MAX_NAMES)}."


def _describe_missing_classes(card: Card) -> Iterator[str]:
    split_scores = card.files.main_split
    if split_scores is None:
        return
    absent = [
        f"{task.name}: {class_scores.name}"
        for task in split_scores.tasks
        for class_scores in card.compute_class_scores(task)
        if not class_scores.n
    ]
    if absent:
        classes = join_with_and(absent, MAX_NAMES)
        yield f"The {split_scores.split_name} split has no labels of these classes: {classes}."


def _describe_missed_classes(card: Card) -> Iterator[str]:
    split_scores = card.files.main_split
    if split_scores is None:
        return
    missed = [
        f"{task.name}: {class_scores.name} ({class_scores.correct} of {class_scores.n})"
        for task in split_scores.tasks
        for class_scores in card.compute_class_scores(task)
        if class_scores.recall is not None and class_scores.recall < MIN_RECALL
    ]
    if missed:
        yield f"Recall below one half on the {split_scores.split_name} split: {join_with_and(missed, MAX_NAMES)}."


def _describe_calibration(card: Card) -> Iterator[str]:
    if not card.calibration:
        yield "Probabilities are not calibrated: 0.9 does not mean that nine in ten are correct."
        return
    for decision, errors in card.calibration.items():
        yield (
            f"Calibrated on {pluralize(errors.n, 'prediction')} of the validation split ({decision}): the expected "
            f"calibration error is {format_metric(errors.before)} before and {format_metric(errors.after)} after "
            "it, on the same labels. The scores of the validation split are those before it."
        )


def describe_use(card: Card) -> list[str]:
    """Return the intended use of a network."""
    tasks = list(card.kinds)
    return [
        f"For inputs similar to the training data: it predicts {pluralize(len(tasks), 'task')} per input "
        f"({join_with_and(tasks, MAX_NAMES)}).",
        "For counts and trends over many inputs rather than for decisions about a single one; the scores below "
        "show how often a single prediction is wrong.",
        "Not for decisions about people without human review.",
    ]
