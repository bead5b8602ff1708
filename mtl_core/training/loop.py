"""The training loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from accelerate import Accelerator

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.model.network import MultiTaskNetwork
from mtl_core.seeding import derive_seed
from mtl_core.training.batches import Batch, Examples, Rows, hide_at_random
from mtl_core.training.checkpoint import Position, Tensors, load_checkpoint, save_checkpoint
from mtl_core.training.gradients import StepGradients
from mtl_core.training.history import EpochRecord, LossMeter
from mtl_core.training.interactions import InteractionObserver
from mtl_core.training.not_finite import NotFiniteError, TrainingFailedError
from mtl_core.training.objective import Objective
from mtl_core.training.optimizing import build_optimizer
from mtl_core.training.order import Order
from mtl_core.training.processes import Processes
from mtl_core.training.step import training_step


@dataclass(frozen=True)
class ValidationFigures:
    """Validation metrics after an epoch.

    Attributes:
        figures: Mapping of metric name to value; None if undefined.
        score: The metric that selects the best epoch; None if undefined.
        higher_is_better: Whether a higher score is better.
    """

    figures: dict[str, float | None]
    score: float | None
    higher_is_better: bool


class TrainingView(Protocol):
    """A training callback, such as a progress bar."""

    def stage_started(self, title: str) -> None:
        """Handle the start of a stage."""

    def epoch_started(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """Handle the start of an epoch, or its continuation after `done` batches."""

    def batch_done(self, means: Callable[[], dict[str, float | None]]) -> None:
        """Handle the end of a step; `means` computes the running mean loss of each task."""

    def epoch_done(self, record: EpochRecord, best: bool) -> None:
        """Handle the end of an epoch."""


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training. The network has the weights of the best epoch.

    Attributes:
        history: One record per epoch.
        best_epoch: The best epoch, counted from 1; the last epoch without validation data.
        examples: Number of examples that this process has visited.
    """

    history: list[EpochRecord]
    best_epoch: int
    examples: int


def train(
    config: ExperimentConfig,
    network: MultiTaskNetwork,
    objective: Objective,
    examples: Examples,
    order: Order,
    epochs: int,
    accelerator: Accelerator,
    validate: Callable[[], ValidationFigures] | None,
    checkpoint: Path | None,
    view: TrainingView,
    observer: InteractionObserver | None = None,
) -> TrainingResult:
    """Train a network and load the weights of its best epoch.

    Args:
        config: Batch size, optimizer, schedule, patience and other settings.
        network: The network with initial weights.
        objective: Losses and weighting.
        examples: Items and targets.
        order: The batches of each epoch.
        epochs: Maximum number of epochs.
        accelerator: Devices and precision.
        validate: Computes the validation metrics; None without validation data, then the last epoch is the best.
        checkpoint: The file to save after each epoch, and to resume from if it exists.
        view: The callback that receives the events of the training.
        observer: Inspects the gradients of tasks in some of the steps.

    Raises:
        TrainingFailedError: If a loss or weight is not finite; the network then has the last finite weights.
        MtlError: If the checkpoint cannot be read or written.
    """
    settings, processes = config.training, Processes.of(accelerator)
    # Not `prepare`: it would wrap the network in DistributedDataParallel; `StepGradients` reduces the gradients.
    network = accelerator.prepare_model(network, evaluation_mode=True)
    objective.to(accelerator.device)
    optimizer = accelerator.prepare(build_optimizer(config, network, objective))
    gradients = StepGradients(accelerator, network, objective.sizes, processes)
    modules = {"network": network, "objective": objective}
    if observer is not None:
        modules["interactions"] = observer
    base_rates = [group["lr"] for group in optimizer.param_groups]
    # The schedule spans the configured epochs, even if this training has fewer, so that it is the same schedule.
    steps = settings.epochs * order.steps_per_epoch

    position, meter, best = Position(), LossMeter(objective.names), _weights(network)
    generator: torch.Tensor | None = None
    if checkpoint is not None and checkpoint.exists():
        position, extra = load_checkpoint(checkpoint, modules, optimizer)
        generator, best = extra.pop("generator"), _split_off(extra, "best.")
        meter.restore(extra)

    def save() -> None:
        if checkpoint is None or processes.rank:
            return
        extra = {"generator": torch.get_rng_state(), **meter.tensors()}
        extra |= {f"best.{key}": value for key, value in best.items()}
        save_checkpoint(checkpoint, position, modules, optimizer, extra)

    def failed(what: str, rows: Rows, size: int) -> TrainingFailedError:
        good = None
        if position.best_epoch:
            network.load_state_dict(best)
            good = f"the weights after epoch {position.best_epoch}"
        elif _finite(network):
            good = "the weights before this batch"
        return TrainingFailedError(what, rows.tolist(), size, good)

    visited = 0
    while position.epoch < epochs and not _out_of_patience(position, settings.patience):
        batches = order.epoch(position.epoch)
        view.epoch_started(position.epoch + 1, epochs, len(batches), position.batch)
        if position.batch == 0:
            torch.manual_seed(derive_seed(config.seed, "dropout", position.epoch))
            meter = LossMeter(objective.names)
        elif generator is not None:
            torch.set_rng_state(generator)
        generator = None
        network.train()
        for batch_rows in batches[position.batch :]:
            factor = config.schedule.factor(position.step, steps)
            for group, rate in zip(optimizer.param_groups, base_rates, strict=True):
                group["lr"] = rate * factor
            objective.at(position.step, steps)
            looks = observer is not None and observer.at(position.step, base_rates[0] * factor)
            if processes.count > 1:  # independent dropout per rank
                torch.manual_seed(derive_seed(config.seed, "dropout", position.step, processes.rank))
            rows = processes.share(batch_rows)
            visited += len(rows)
            if settings.consistency:  # R-Drop: the same examples with other dropout masks
                rows = np.concatenate([rows, rows])
            batch = _batch(examples, rows, batch_rows, accelerator.device, objective.needed)
            batch = replace(batch, twice=settings.consistency > 0 and len(rows) > 0)
            try:
                losses = training_step(
                    gradients, network, objective, optimizer, batch, settings.clip_norm, observer if looks else None
                )
            except NotFiniteError as error:
                where = f"epoch {position.epoch + 1}, batch {position.batch + 1}"
                raise failed(f"{where}: {error}", rows[error.places], len(rows)) from error
            meter.add(losses)
            position.step += 1
            position.batch += 1
            view.batch_done(meter.means)
            if settings.checkpoint_steps and position.batch % settings.checkpoint_steps == 0:
                save()

        if not _finite(network):
            raise failed(f"epoch {position.epoch + 1}: the weights of the network are not finite", rows[:0], 0)
        found = validate() if validate is not None else None
        record = EpochRecord(
            epoch=position.epoch + 1,
            # Computed, not read from the optimizer: a resumed epoch may have no batch left.
            learning_rate=base_rates[0] * config.schedule.factor(position.step - 1, steps),
            losses=meter.means(),
            validation=found.figures if found else {},
            score=found.score if found else None,
            weights=meter.mean_weights(),
        )
        better = found is None or _better(found, position.best_score)
        if better:
            position.best_epoch, position.best_score, best = record.epoch, record.score, _weights(network)
        position.history.append(record)
        position.epoch, position.batch = position.epoch + 1, 0
        objective.epoch_done(list(record.losses.values()))
        if observer is not None:
            observer.epoch_done(record.epoch)
        view.epoch_done(record, better)
        save()

    network.load_state_dict(best)
    return TrainingResult(position.history, position.best_epoch, visited)


def _batch(examples: Examples, rows: Rows, whole: Rows, device: torch.device, needed: Sequence[bool]) -> Batch:
    """Build the shard of this rank; for an empty shard, one example of the batch without labels."""
    if len(rows):
        return examples.batch(rows, device, hide_at_random, needed)
    return examples.batch(whole[:1], device, hide_at_random, needed).without_labels()


def _better(found: ValidationFigures, best: float | None) -> bool:
    """Return whether a score is better than the best so far; without any score, the later epoch is better."""
    if found.score is None or best is None:
        return best is None
    return found.score > best if found.higher_is_better else found.score < best


def _out_of_patience(position: Position, patience: int | None) -> bool:
    return patience is not None and position.epoch - position.best_epoch >= patience


def _finite(network: torch.nn.Module) -> bool:
    return all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters())


def _weights(network: torch.nn.Module) -> Tensors:
    return {key: value.detach().clone() for key, value in network.state_dict().items()}


def _split_off(tensors: Tensors, prefix: str) -> Tensors:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
