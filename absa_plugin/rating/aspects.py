"""The tasks of a run that are aspects and can be rated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mtl_core.errors import MtlError, listed

if TYPE_CHECKING:
    from mtl_core.runs.saved import SavedRun
    from mtl_core.training.groups import LearnedTask

POSITIVE, NEGATIVE, NEUTRAL, CONFLICT = "positive", "negative", "neutral", "conflict"
POLARITIES = (POSITIVE, NEGATIVE, NEUTRAL, CONFLICT)
ABLE = ("absa-minilm", "absa-distilled")
"""Packaged experiments whose tasks detect whether a sentence mentions an aspect."""


@dataclass(frozen=True)
class Aspects:
    """The aspects of a run.

    Attributes:
        names: Their names, in the run's order.
        left_out: The remaining tasks, each with the reason.
    """

    names: Sequence[str]
    left_out: Sequence[str]


def aspects_of(saved: SavedRun, data_set: str | None = None) -> Aspects:
    """Return the tasks that detect whether a sentence mentions an aspect, and classify its polarity.

    Raises:
        MtlError: If the run has no such task.
    """
    flaws = {task.name: _flaw(task) for task in saved.tasks_of(data_set)}
    names = [name for name, flaw in flaws.items() if flaw is None]
    left_out = [f"{name} {flaw}" for name, flaw in flaws.items() if flaw is not None]
    if not names:
        raise MtlError(
            f"the run '{saved.config.name}' cannot rate anything: {listed(left_out, 3)}.\n"
            f"A rating needs tasks of the kind `detect-and-classify` with the classes {POSITIVE} and {NEGATIVE}, "
            f"such as those of the experiments {' and '.join(ABLE)}"
        )
    return Aspects(names, left_out)


def _flaw(task: LearnedTask) -> str | None:
    if task.declared.kind.level == "token":
        return "labels tokens"
    if task.kind.nothing is None:
        return "cannot predict that a sentence does not mention it, so it would rate unmentioned aspects"
    classes = [name for name in task.space.classes if name != task.kind.nothing]
    missing = [name for name in (POSITIVE, NEGATIVE) if name not in classes]
    if missing:
        return f"has no class {' and no class '.join(missing)} (classes: {listed(classes)})"
    other = [name for name in classes if name not in POLARITIES]
    if other:
        return f"has classes that are not polarities: {listed(other)} (polarities: {listed(POLARITIES)})"
    return None
