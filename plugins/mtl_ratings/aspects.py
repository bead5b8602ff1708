"""The tasks of a run that are aspects and can be rated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtl_core import MtlError, join_names

if TYPE_CHECKING:
    from mtl_core.data import FittedTask
    from mtl_core.runs import SavedRun

POSITIVE, NEGATIVE, NEUTRAL, CONFLICT = "positive", "negative", "neutral", "conflict"
POLARITIES = (POSITIVE, NEGATIVE, NEUTRAL, CONFLICT)
SUITABLE_EXPERIMENTS = ("absa-minilm", "absa-distilled")
"""Packaged experiments whose tasks detect whether a sentence mentions an aspect."""


@dataclass(frozen=True)
class Aspects:
    """The aspects of a run.

    Attributes:
        names: Their names, in the run's order.
        exclusions: The remaining tasks, each with the reason.
    """

    names: Sequence[str]
    exclusions: Sequence[str]


def find_aspects(saved_run: SavedRun, data_set: str | None = None) -> Aspects:
    """Return the tasks that detect whether a sentence mentions an aspect, and classify its polarity.

    Raises:
        MtlError: If the run has no such task.
    """
    reasons = {task.name: _explain_exclusion(task) for task in saved_run.get_tasks(data_set)}
    names = [name for name, reason in reasons.items() if reason is None]
    exclusions = [f"{name} {reason}" for name, reason in reasons.items() if reason is not None]
    if not names:
        raise MtlError(
            f"the run '{saved_run.config.name}' cannot rate anything: {join_names(exclusions, 3)}.\n"
            f"A rating needs tasks of the kind `detect-and-classify` with the classes {POSITIVE} and {NEGATIVE}, "
            f"such as those of the experiments {' and '.join(SUITABLE_EXPERIMENTS)}"
        )
    return Aspects(names, exclusions)


def _explain_exclusion(task: FittedTask) -> str | None:
    if task.config.kind.level == "token":
        return "labels tokens"
    if task.kind.absent_label is None:
        return "cannot predict that a sentence does not mention it, so it would rate unmentioned aspects"
    classes = [name for name in task.space.classes if name != task.kind.absent_label]
    missing_classes = [name for name in (POSITIVE, NEGATIVE) if name not in classes]
    if missing_classes:
        return f"has no class {' and no class '.join(missing_classes)} (classes: {join_names(classes)})"
    unknown_classes = [name for name in classes if name not in POLARITIES]
    if unknown_classes:
        names, polarities = join_names(unknown_classes), join_names(POLARITIES)
        return f"has classes that are not polarities: {names} (polarities: {polarities})"
    return None
