"""The training loop. Read it from top to bottom: one batch can be followed through it."""

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
    """What validation data says after an epoch.

    Attributes:
        figures: Name to value, None if undefined.
        score: The figure that selection looks at; None if undefined.
        higher_is_better: Which way is up.
    """

    figures: dict[str, float | None]
    score: float | None
    higher_is_better: bool


class TrainingView(Protocol):
    """Somebody who watches: a progress bar."""

    def stage_started(self, title: str) -> None:
        """A training begins."""

    def epoch_started(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        """An epoch begins, or goes on after `done` batches."""

    def batch_done(self, means: Callable[[], dict[str, float | None]]) -> None:
        """A batch is done; `means` gives the running loss of each task."""

    def epoch_done(self, record: EpochRecord, best: bool) -> None:
        """An epoch is complete."""


@dataclass(frozen=True)
class TrainingResult:
    """What training brought. The network holds the best epoch's weights, or the last's without validation data.

    Attributes:
        history: A record an epoch.
        best_epoch: Counted from 1; the last without validation data.
        examples: Examples visited in this process.
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
    """Train a network, and leave it with its best weights.

    Args:
        config: Batch size, optimizer, schedule, patience and so on.
        network: The network, with initial weights.
        objective: Losses and weighting.
        examples: Items and targets.
        order: The batches of each epoch.
        epochs: How many there are at most.
        accelerator: Devices and precision.
        validate: Scores the network on validation data; None if there is none, and then the last epoch counts.
        checkpoint: Where to save after each epoch, and to go on from if it exists.
        view: Is told what happens.
        observer: Looks at tasks' gradients in some of the steps.

    Raises:
        TrainingFailedError: If a loss is not finite; the network then has the last good weights.
        MtlError: If the checkpoint cannot be read or written.
    """
    settings, processes = config.training, Processes.of(accelerator)
    # Not `prepare` alone: it would wrap the network for several processes, whose steps are put together here.
    network = accelerator.prepare_model(network, evaluation_mode=True)
    objective.to(accelerator.device)
    optimizer = accelerator.prepare(build_optimizer(config, network, objective))
    gradients = StepGradients(accelerator, network, objective.sizes, processes)
    modules = {"network": network, "objective": objective}
    if observer is not None:
        modules["interactions"] = observer
    base_rates = [group["lr"] for group in optimizer.param_groups]
    # The schedule spans the declared epochs even if this training is to stop earlier, so that it is the same one.
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
            if processes.count > 1:  # each drops out on its own
                torch.manual_seed(derive_seed(config.seed, "dropout", position.step, processes.rank))
            rows = processes.share(batch_rows)
            visited += len(rows)
            if settings.consistency:  # once more, under other dropout masks
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
            raise failed(f"epoch {position.epoch + 1}: the network's weights are not finite any more", rows[:0], 0)
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
    """Make a process's share of a batch; where it has none, an example of another's, without its labels."""
    if len(rows):
        return examples.batch(rows, device, hide_at_random, needed)
    return examples.batch(whole[:1], device, hide_at_random, needed).without_labels()


def _better(found: ValidationFigures, best: float | None) -> bool:
    """A first figure is better than none, and without any figure the later epoch is kept."""
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
