"""Checkpoints: one safetensors file that holds all that a run needs to go on bit for bit. Nothing is pickled."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from mtl_core.atomic import write_atomically
from mtl_core.errors import MtlError
from mtl_core.training.history import EpochRecord

Tensors = dict[str, torch.Tensor]


@dataclass
class Position:
    """Where a run stands.

    Attributes:
        epoch: The epoch that is under way, counted from 0.
        batch: Batches of it that are done.
        step: Steps since the beginning.
        history: The epochs that are complete.
        best_epoch: The best of them, counted from 1; 0 before the first.
        best_score: Its figure.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    history: list[EpochRecord] = field(default_factory=list)
    best_epoch: int = 0
    best_score: float | None = None


def save_checkpoint(
    path: Path,
    position: Position,
    modules: Mapping[str, torch.nn.Module],
    optimizer: torch.optim.Optimizer,
    extra: Tensors,
) -> None:
    """Write a checkpoint atomically.

    Args:
        path: The file.
        position: Where the run stands.
        modules: Modules by name; their parameters and buffers are saved.
        optimizer: Its state is saved.
        extra: Further tensors, such as the generator's state and the best weights.

    Raises:
        MtlError: If the file cannot be written.
    """
    tensors: Tensors = {f"extra.{name}": tensor for name, tensor in extra.items()}
    for name, module in modules.items():  # copies: what stands in a network under two names is refused otherwise
        tensors |= {f"{name}.{key}": value.clone() for key, value in module.state_dict().items()}
    plain: dict[str, Any] = {}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            elif value is not None:
                plain[f"{index}.{key}"] = value
    metadata = {"position": json.dumps(asdict(position)), "optimizer": json.dumps(plain)}
    whole = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, lambda temporary: save_file(whole, temporary, metadata))


def load_checkpoint(
    path: Path, modules: Mapping[str, torch.nn.Module], optimizer: torch.optim.Optimizer
) -> tuple[Position, Tensors]:
    """Put modules and optimizer back to where a checkpoint was made.

    Returns:
        Where the run stood, and the extra tensors.

    Raises:
        MtlError: If the file is damaged or belongs to another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
        position = json.loads(metadata["position"])
        for name, module in modules.items():
            module.load_state_dict(_below(tensors, name))
        _load_optimizer(optimizer, _below(tensors, "optimizer"), json.loads(metadata["optimizer"]))
    except (SafetensorError, OSError, KeyError, RuntimeError, ValueError) as error:
        raise MtlError(f"{path}: this checkpoint cannot be resumed from: {error}") from error
    position["history"] = [EpochRecord(**record) for record in position["history"]]
    return Position(**position), _below(tensors, "extra")


def _below(tensors: Tensors, prefix: str) -> Tensors:
    return {key.removeprefix(f"{prefix}."): value for key, value in tensors.items() if key.startswith(f"{prefix}.")}


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: Tensors, plain: Mapping[str, Any]) -> None:
    whole = optimizer.state_dict()
    state: dict[int, dict[str, Any]] = {}
    for name, value in {**tensors, **plain}.items():
        index, key = name.split(".", 1)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({**whole, "state": state})
