"""Warm start: initialize a network with weights of another run, and report which weights were loaded."""

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch

from mtl_core.config.experiment import StartFrom
from mtl_core.data.encoder import Encoder
from mtl_core.errors import MtlError, did_you_mean, listed
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.model.weights_by_name import weights_by_name
from mtl_core.runs.saved import load_run
from mtl_core.training.groups import TaskGroup


@dataclass(frozen=True)
class StartReport:
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

    def sentence(self) -> str:
        """Format the report in one line."""
        left = _by_reason(self.not_loaded)
        return (
            f"initialized from {self.run}: {len(self.loaded)} of {len(self.loaded) + len(self.not_loaded)} weights "
            f"({self.numbers:,} parameters){'; ' if left else ''}{left}"
        )


def _by_reason(left: dict[str, str]) -> str:
    """Format the reasons why weights are not loaded, with a few names per reason."""
    by_reason: dict[str, list[str]] = {}
    for name, why in left.items():
        by_reason.setdefault(why, []).append(name)
    return "; ".join(f"{why}: {listed(names, 3)}" for why, names in by_reason.items())


@torch.no_grad()
def start_from(
    block: StartFrom, network: MultiTaskNetwork, groups: Sequence[TaskGroup], encoder: Encoder[Any, Any]
) -> StartReport:
    """Copy weights of a saved run into a new network.

    A weight is loaded if a pattern matches its name, the other run has a weight of that name, and the shapes are
    equal. Of a table with one row per word, the rows of words in both vocabularies are loaded.

    Args:
        block: The run, and patterns over weight names.
        network: The network; it is changed in place.
        groups: The head groups of the network.
        encoder: The fitted encoder of the network.

    Raises:
        MtlError: If the run cannot be loaded, or a pattern matches no weight of the network.
    """
    saved = load_run(block.run)
    there = weights_by_name(saved.network, [[task.name for task in group.tasks] for group in saved.groups])
    here = weights_by_name(network, [[task.name for task in group.tasks] for group in groups])
    for pattern in block.parts:
        if not any(fnmatchcase(name, pattern) for name in here):
            whole = [f"heads.{task.name}.*" for group in groups for task in group.tasks]
            near = did_you_mean(pattern, ["body.*", *whole, *here])
            raise MtlError(f"start_from.parts: '{pattern}' matches no weight{near} (weights: {listed(here)})")
    loaded: list[str] = []
    by_word: dict[str, int] = {}
    left: dict[str, str] = {}
    taken: dict[int, int] = {}  # shared weights of a head group have several names, and count once
    others = _heads_of_other_classes(groups, saved.groups)
    for name, target in here.items():
        if not any(fnmatchcase(name, pattern) for pattern in block.parts):
            left[name] = "no pattern matches"
        elif name not in there:
            left[name] = "not in the run"
        elif _is_word_table(name, target, there[name], encoder, saved.encoder):
            by_word[name] = _copy_rows(target, there[name], encoder, saved.encoder)
            loaded.append(name)
            taken[target.data_ptr()] = by_word[name] * target[0].numel()
        elif there[name].shape != target.shape:
            left[name] = f"{_shape(there[name])} in the run, {_shape(target)} here"
        elif name.startswith(others):
            left[name] = "its task has other classes in the run"
        else:
            target.copy_(there[name])
            loaded.append(name)
            taken[target.data_ptr()] = target.numel()
    if not loaded:
        raise MtlError(f"start_from: no weight of {block.run} can be loaded: {_by_reason(left)}")
    return StartReport(str(block.run), loaded, sum(taken.values()), by_word, left)


def _heads_of_other_classes(here: Sequence[TaskGroup], there: Sequence[TaskGroup]) -> tuple[str, ...]:
    """Return the name prefixes of heads whose task has other classes in the other run."""
    classes = {task.name: list(task.space.classes) for group in there for task in group.tasks}
    tasks = [task for group in here for task in group.tasks]
    return tuple(f"heads.{task.name}." for task in tasks if classes.get(task.name, []) != list(task.space.classes))


def _is_word_table(
    name: str, target: torch.Tensor, source: torch.Tensor, here: Encoder[Any, Any], there: Encoder[Any, Any]
) -> bool:
    """Return whether a weight has one row per word of the vocabulary, after a few rows for special tokens."""
    if not name.startswith("body.") or target.ndim != 2 or target.shape[1:] != source.shape[1:]:
        return False
    special = len(target) - len(here.vocabulary)
    words = len(here.vocabulary) and len(there.vocabulary) and list(here.vocabulary) != list(there.vocabulary)
    return bool(words) and 0 <= special < 10 and special == len(source) - len(there.vocabulary)


def _copy_rows(
    target: torch.Tensor, source: torch.Tensor, here: Encoder[Any, Any], there: Encoder[Any, Any]
) -> int:
    special = len(target) - len(here.vocabulary)
    rows = {word: row for row, word in enumerate(there.vocabulary, start=special)}
    common = [(row, rows[word]) for row, word in enumerate(here.vocabulary, start=special) if word in rows]
    pairs = torch.tensor([*((row, row) for row in range(special)), *common])
    target[pairs[:, 0]] = source[pairs[:, 1]]
    return len(pairs)


def _shape(tensor: torch.Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "one number"
