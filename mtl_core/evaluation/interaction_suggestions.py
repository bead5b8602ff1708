"""Suggestions from task interactions, as sentences with standard errors."""

import math
from collections.abc import Sequence

from mtl_core.artifacts.interactions import AuxiliaryInteraction, TaskGrouping, TaskInteractions

MIN_STEPS = 10
"""Minimum number of steps for a suggestion."""
N_STANDARD_ERRORS = 2.0
"""Number of standard errors for a significant difference."""
MAX_CONFLICTS = 3
"""Maximum number of listed conflicts."""


def build_suggestions(interactions: TaskInteractions) -> list[str]:
    """Return suggestions: which tasks to train together, and which auxiliary tasks to leave out.

    A change is suggested only if the measured effect exceeds two standard errors.
    """
    texts = (
        [_suggest_grouping(interactions.groupings[max(interactions.groupings, key=int)], interactions.observed_steps)]
        if interactions.groupings
        else []
    )
    return texts + [_suggest_auxiliary(name, auxiliary) for name, auxiliary in interactions.auxiliary.items()]


def find_strongest_conflicts(interactions: TaskInteractions) -> list[str]:
    """Describe the pairs of tasks with the strongest significant conflict between gradients."""
    pairs = []
    for row, name in enumerate(interactions.tasks):
        for column in range(row):
            cosine, error = interactions.cosine[row][column], interactions.cosine_error[row][column]
            fraction, steps = interactions.conflicts[row][column], interactions.steps[row][column]
            if (
                cosine is None
                or error is None
                or fraction is None
                or steps < MIN_STEPS
                or cosine + N_STANDARD_ERRORS * error >= 0
            ):
                continue
            text = (
                f"{interactions.tasks[column]} against {name}: mean cosine {cosine:+.2f} "
                f"(standard error {error:.2f}), negative in {fraction:.0%} of {steps} steps"
            )
            pairs.append((cosine, text))
    return [text for _, text in sorted(pairs)[:MAX_CONFLICTS]]


def _suggest_grouping(grouping: TaskGrouping, observed: int) -> str:
    if grouping.steps < MIN_STEPS // 2:
        return (
            f"which tasks to train together: no conclusion from {observed} steps, "
            f"{grouping.steps} of them with labels for every pair of tasks and not used for the choice; observe "
            "more steps (interactions.every_n_steps)"
        )
    pairs = f"{grouping.unknown_pairs} pairs of tasks were" if grouping.unknown_pairs > 1 else "1 pair of tasks was"
    unobserved = f"; {pairs} never observed together" if grouping.unknown_pairs else ""
    basis = f"{observed} observed steps; chosen on every second of them, checked on the others{unobserved}"
    if len(grouping.networks) == 1:
        return f"which tasks to train together: no grouping is better than one network for all ({basis})"
    networks = " | ".join(", ".join(network) for network in grouping.networks)
    if grouping.error is None or grouping.improvement <= N_STANDARD_ERRORS * grouping.error:
        return (
            f"which tasks to train together: no conclusion; the best grouping is {networks}, but its improvement "
            f"on other steps is {_format_with_error(grouping.improvement, grouping.error)} ({basis})"
        )
    improvement = _format_with_error(grouping.improvement, grouping.error)
    if grouping.criterion == "cosine":
        return (
            f"tasks with aligned gradients: {networks} (sum of the cosines within networks, divided by "
            f"their sizes: {improvement} against one network for all; {basis}). Cosines are weak "
            "evidence that tasks help each other: measure interactions.affinity, or train both ways and compare"
        )
    return (
        f"candidates for separate networks: {networks} (sum of the affinities within networks, divided by "
        f"their sizes: {improvement} against one network for all; {basis}). Train both ways and compare: this is a "
        "hint, not a proof"
    )


def _suggest_auxiliary(name: str, auxiliary: AuxiliaryInteraction) -> str:
    """Describe an auxiliary task by its affinity if that is significant, else by the cosine of its gradient."""
    next_step = "`mtl ablate` shows whether it helps"
    affinity, error, steps = auxiliary.affinity, auxiliary.affinity_error, auxiliary.affinity_steps
    if affinity is not None and error is not None and steps >= MIN_STEPS and abs(affinity) > N_STANDARD_ERRORS * error:
        effect = "raised" if affinity < 0 else "lowered"
        text = (
            f"steps along its gradient alone {effect} the main tasks' losses, by {100 * abs(affinity):.2g} % on "
            f"average (standard error {100 * error:.2g} %, {steps} steps)"
        )
        advice = "a candidate to leave out" if affinity < 0 else "no reason to leave it out"
        return f"auxiliary task {name}: {advice}; {text}; {next_step}"
    fraction, cosine_steps, cosine = auxiliary.conflicts, auxiliary.steps, auxiliary.cosine
    if fraction is not None and cosine is not None and _is_significant_majority(fraction, cosine_steps):
        return (
            f"auxiliary task {name}: a weak candidate to leave out; its gradient opposes that of the main tasks "
            f"in {fraction:.0%} of {cosine_steps} steps (mean cosine {cosine:+.2f}); {next_step}"
        )
    return (
        f"auxiliary task {name}: no conclusion from {max(cosine_steps, steps)} steps"
        f"{_format_tendency(auxiliary)}; {next_step}"
    )


def _format_tendency(auxiliary: AuxiliaryInteraction) -> str:
    parts = []
    if auxiliary.affinity is not None:
        parts.append(
            f"mean affinity onto the main tasks {_format_with_error(auxiliary.affinity, auxiliary.affinity_error)}"
        )
    if auxiliary.cosine is not None:
        parts.append(f"mean cosine with their gradients {_format_with_error(auxiliary.cosine, auxiliary.cosine_error)}")
    return f" ({', '.join(parts)})" if parts else ""


def _is_significant_majority(fraction: float, steps: int) -> bool:
    """Return whether a fraction exceeds one half by two standard errors (Wilson interval).

    Args:
        fraction: The observed fraction.
        steps: The number of steps.
    """
    if steps < MIN_STEPS:
        return False
    square = N_STANDARD_ERRORS**2
    center = (fraction + square / (2 * steps)) / (1 + square / steps)
    width = (
        N_STANDARD_ERRORS
        / (1 + square / steps)
        * math.sqrt(fraction * (1 - fraction) / steps + square / (4 * steps**2))
    )
    return center - width > 0.5


def _format_with_error(value: float, error: float | None) -> str:
    suffix = f" (standard error {error:.2g})" if error is not None else ""
    return f"{value:+.2g}{suffix}"


def build_sentences(interactions: TaskInteractions) -> Sequence[str]:
    """Return all sentences that are printed after a run, conflicts first."""
    strongest = find_strongest_conflicts(interactions)
    conflict_sentences = [f"conflict: {text}" for text in strongest] or [
        "conflicts: no significant conflict between the gradients of two tasks"
    ]
    return [*conflict_sentences, *build_suggestions(interactions)]
