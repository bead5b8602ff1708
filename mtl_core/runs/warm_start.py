"""Warm start: initialize a network with weights of another run, and report which weights were loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch

from mtl_core.config.training import InitFrom
from mtl_core.data.encoder import Encoder
from mtl_core.data.task_groups import TaskGroup
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.nn.named_weights import collect_named_weights
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.saved_run import load_run


@dataclass(frozen=True)
class WarmStartReport:
    """The weights that a warm start loads from another run, and those that it does not load.

    Attributes:
        run: The run.
        loaded: Names of the loaded weights.
        numbers: Number of loaded parameters.
        by_word: Name of each table that is loaded per word, since the vocabularies differ, to its number of rows.
        not_loaded: Name of each weight that keeps its random initialization to the reason.
    """

    run: str
    loaded: list[str]
    numbers: int
    by_word: dict[str, int]
    not_loaded: dict[str, str]

    def format_summary(self) -> str:
        """Format the report in one line."""
        reasons = _format_reasons(self.not_loaded)
        return (
            f"initialized from {self.run}: {len(self.loaded)} of {len(self.loaded) + len(self.not_loaded)} weights "
            f"({self.numbers:,} parameters){'; ' if reasons else ''}{reasons}"
        )


def _format_reasons(not_loaded: dict[str, str]) -> str:
    """Format the reasons why weights are not loaded, with a few names per reason."""
    by_reason: dict[str, list[str]] = {}
    for name, reason in not_loaded.items():
        by_reason.setdefault(reason, []).append(name)
    return "; ".join(f"{reason}: {join_names(names, 3)}" for reason, names in by_reason.items())


@torch.no_grad()
def initialize_from_run(
    settings: InitFrom, network: MultiTaskNetwork, groups: Sequence[TaskGroup], encoder: Encoder[Any, Any]
) -> WarmStartReport:
    """Copy weights of a saved run into a new network.

    A weight is loaded if a pattern matches its name, the other run has a weight of that name, and the shapes are
    equal. Of a table with one row per word, the rows of words in both vocabularies are loaded.

    Args:
        settings: The run, and patterns over weight names.
        network: The network; it is changed in place.
        groups: The head groups of the network.
        encoder: The fitted encoder of the network.

    Raises:
        MtlError: If the run cannot be loaded, or a pattern matches no weight of the network.
    """
    saved_run = load_run(settings.run)
    source_weights = collect_named_weights(
        saved_run.network, [[task.name for task in group.tasks] for group in saved_run.groups]
    )
    target_weights = collect_named_weights(network, [[task.name for task in group.tasks] for group in groups])
    for pattern in settings.weights:
        if not any(fnmatchcase(name, pattern) for name in target_weights):
            head_patterns = [f"heads.{task.name}.*" for group in groups for task in group.tasks]
            suggestion = did_you_mean(pattern, ["trunk.*", *head_patterns, *target_weights])
            raise MtlError(
                f"init_from.weights: '{pattern}' matches no weight{suggestion} (weights: {join_names(target_weights)})"
            )
    loaded: list[str] = []
    by_word: dict[str, int] = {}
    not_loaded: dict[str, str] = {}
    loaded_sizes: dict[int, int] = {}  # shared weights of a head group have several names, and count once
    changed_heads = _find_changed_heads(groups, saved_run.groups)
    for name, target in target_weights.items():
        if not any(fnmatchcase(name, pattern) for pattern in settings.weights):
            not_loaded[name] = "no pattern matches"
        elif name not in source_weights:
            not_loaded[name] = "not in the run"
        elif _is_word_table(name, target, source_weights[name], encoder, saved_run.encoder):
            by_word[name] = _copy_rows(target, source_weights[name], encoder, saved_run.encoder)
            loaded.append(name)
            loaded_sizes[target.data_ptr()] = by_word[name] * target[0].numel()
        elif source_weights[name].shape != target.shape:
            not_loaded[name] = f"{_format_shape(source_weights[name])} in the run, {_format_shape(target)} here"
        elif name.startswith(changed_heads):
            not_loaded[name] = "its task has other classes in the run"
        else:
            target.copy_(source_weights[name])
            loaded.append(name)
            loaded_sizes[target.data_ptr()] = target.numel()
    if not loaded:
        raise MtlError(f"init_from: no weight of {settings.run} can be loaded: {_format_reasons(not_loaded)}")
    return WarmStartReport(str(settings.run), loaded, sum(loaded_sizes.values()), by_word, not_loaded)


def _find_changed_heads(target_groups: Sequence[TaskGroup], source_groups: Sequence[TaskGroup]) -> tuple[str, ...]:
    """Return the name prefixes of heads whose task has other classes in the other run."""
    classes = {task.name: list(task.space.classes) for group in source_groups for task in group.tasks}
    tasks = [task for group in target_groups for task in group.tasks]
    return tuple(f"heads.{task.name}." for task in tasks if classes.get(task.name, []) != list(task.space.classes))


def _is_word_table(
    name: str,
    target: torch.Tensor,
    source: torch.Tensor,
    target_encoder: Encoder[Any, Any],
    source_encoder: Encoder[Any, Any],
) -> bool:
    """Return whether a weight has one row per word of the vocabulary, after a few rows for special tokens."""
    if not name.startswith("trunk.") or target.ndim != 2 or target.shape[1:] != source.shape[1:]:
        return False
    n_special = len(target) - len(target_encoder.vocabulary)
    has_different_words = (
        len(target_encoder.vocabulary)
        and len(source_encoder.vocabulary)
        and list(target_encoder.vocabulary) != list(source_encoder.vocabulary)
    )
    return (
        bool(has_different_words) and 0 <= n_special < 10 and n_special == len(source) - len(source_encoder.vocabulary)
    )


def _copy_rows(
    target: torch.Tensor, source: torch.Tensor, target_encoder: Encoder[Any, Any], source_encoder: Encoder[Any, Any]
) -> int:
    n_special = len(target) - len(target_encoder.vocabulary)
    rows = {word: row for row, word in enumerate(source_encoder.vocabulary, start=n_special)}
    common = [(row, rows[word]) for row, word in enumerate(target_encoder.vocabulary, start=n_special) if word in rows]
    pairs = torch.tensor([*((row, row) for row in range(n_special)), *common])
    target[pairs[:, 0]] = source[pairs[:, 1]]
    return len(pairs)


def _format_shape(tensor: torch.Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
