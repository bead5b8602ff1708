"""Beginning with parts of a trained network, and saying which parts those were."""

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
    """What was taken from another run, and what was not.

    Attributes:
        run: The run.
        loaded: Names of the weights that were taken.
        numbers: How many numbers those are.
        by_word: Names of tables that were taken row by row, since the vocabularies differ, and how many rows.
        not_loaded: Names of the weights that keep their random start, and why.
    """

    run: str
    loaded: list[str]
    numbers: int
    by_word: dict[str, int]
    not_loaded: dict[str, str]

    def sentence(self) -> str:
        """The report in one line."""
        left = _by_reason(self.not_loaded)
        return (
            f"started from {self.run}: {len(self.loaded)} of {len(self.loaded) + len(self.not_loaded)} weights "
            f"({self.numbers:,} numbers){'; ' if left else ''}{left}"
        )


def _by_reason(left: dict[str, str]) -> str:
    """Tell why weights were not loaded, a few names each."""
    by_reason: dict[str, list[str]] = {}
    for name, why in left.items():
        by_reason.setdefault(why, []).append(name)
    return "; ".join(f"{why}: {listed(names, 3)}" for why, names in by_reason.items())


@torch.no_grad()
def start_from(
    block: StartFrom, network: MultiTaskNetwork, groups: Sequence[TaskGroup], encoder: Encoder[Any, Any]
) -> StartReport:
    """Copy weights of a saved run into a new network.

    A weight is taken if a pattern names it, the other run has one of that name, and the shapes agree. Of a table
    with a row a word, the rows of the words that both runs know are taken.

    Args:
        block: The run, and patterns over names.
        network: Is changed.
        groups: The groups of tasks of the network.
        encoder: The network's, fitted.

    Raises:
        MtlError: If the run cannot be loaded, or a pattern fits no weight of the network.
    """
    saved = load_run(block.run)
    there = weights_by_name(saved.network, [[task.name for task in group.tasks] for group in saved.groups])
    here = weights_by_name(network, [[task.name for task in group.tasks] for group in groups])
    for pattern in block.parts:
        if not any(fnmatchcase(name, pattern) for name in here):
            whole = [f"heads.{task.name}.*" for group in groups for task in group.tasks]
            near = did_you_mean(pattern, ["body.*", *whole, *here])
            raise MtlError(f"start_from.parts: '{pattern}' fits no weight{near} (weights: {listed(here)})")
    loaded: list[str] = []
    by_word: dict[str, int] = {}
    left: dict[str, str] = {}
    taken: dict[int, int] = {}  # what heads of a group share has several names, and counts once
    others = _heads_of_other_classes(groups, saved.groups)
    for name, target in here.items():
        if not any(fnmatchcase(name, pattern) for pattern in block.parts):
            left[name] = "not asked for"
        elif name not in there:
            left[name] = "the run has none"
        elif _is_word_table(name, target, there[name], encoder, saved.encoder):
            by_word[name] = _copy_rows(target, there[name], encoder, saved.encoder)
            loaded.append(name)
            taken[target.data_ptr()] = by_word[name] * target[0].numel()
        elif there[name].shape != target.shape:
            left[name] = f"{_shape(there[name])} there, {_shape(target)} here"
        elif name.startswith(others):
            left[name] = "its task has other classes there"
        else:
            target.copy_(there[name])
            loaded.append(name)
            taken[target.data_ptr()] = target.numel()
    if not loaded:
        raise MtlError(f"start_from: nothing of {block.run} fits: {_by_reason(left)}")
    return StartReport(str(block.run), loaded, sum(taken.values()), by_word, left)


def _heads_of_other_classes(here: Sequence[TaskGroup], there: Sequence[TaskGroup]) -> tuple[str, ...]:
    """The names' beginnings of heads whose outputs mean something else in the other run."""
    classes = {task.name: list(task.space.classes) for group in there for task in group.tasks}
    tasks = [task for group in here for task in group.tasks]
    return tuple(f"heads.{task.name}." for task in tasks if classes.get(task.name, []) != list(task.space.classes))


def _is_word_table(
    name: str, target: torch.Tensor, source: torch.Tensor, here: Encoder[Any, Any], there: Encoder[Any, Any]
) -> bool:
    """Whether a weight has a row a word: as many as the vocabulary, and a few special ones before."""
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
