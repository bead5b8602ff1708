"""The training loop of several networks at once."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mtl_core.artifacts.history import EpochRecord
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import Examples
from mtl_core.data.task_groups import TaskGroup
from mtl_core.training.batch_sampler import BatchSampler
from mtl_core.training.batched_networks.stacked_networks import StackedNetworks
from mtl_core.training.batched_networks.trainer import LiveTasks, NetworkTrainer
from mtl_core.training.callback import Callback
from mtl_core.training.checkpoint import TrainingState
from mtl_core.training.loop import TrainingResult, ValidationMetrics, improves_score, is_out_of_patience


def train_networks(
    config: ExperimentConfig,
    networks: StackedNetworks,
    group: TaskGroup,
    examples: Examples,
    batch_sampler: BatchSampler,
    label_masks: NDArray[np.bool_],
    validate: Callable[[LiveTasks], list[ValidationMetrics]] | None,
    callback: Callback,
) -> list[TrainingResult]:
    """Train networks, and load the weights of the best epoch of each.

    A network leaves the batch when its own patience ends.

    Args:
        config: See `NetworkTrainer`, as for the next arguments.
        networks: The networks, one per task.
        group: The tasks.
        examples: Items and targets.
        batch_sampler: The batches of each epoch.
        label_masks: The examples of each network.
        validate: Computes the validation metrics of live networks; None without validation data.
        callback: The callback that receives the events of the training. An epoch ends with the record of the first
            live network.

    Returns:
        The result of each network.

    Raises:
        TrainingFailedError: If a loss or weight of a network is not finite.
    """
    settings = config.training
    trainer = NetworkTrainer(config, networks, group, examples, batch_sampler, label_masks)
    states = [TrainingState() for _ in group.tasks]
    for epoch in range(settings.epochs):
        if not networks.live:
            break
        batches = batch_sampler.get_batches(epoch)
        callback.on_epoch_start(epoch + 1, settings.epochs, len(batches), 0)
        trainer.start_epoch(epoch)
        for rows, next_rows in pairwise([*batches, None]):
            assert rows is not None  # noqa: S101  only the last one is
            if next_rows is not None:
                examples.prefetch(next_rows)
            trainer.step(rows)
            callback.on_step_end(trainer.meter.compute_means)
        trainer.check_finite()
        metrics = validate(trainer.live_tasks) if validate is not None else [None] * len(networks.live)
        records = _build_records(epoch, trainer, [task.name for task in trainer.live_tasks.tasks], metrics)
        improved = _update_states([states[index] for index in networks.live], records, metrics)
        networks.save_best([index for index, is_best in zip(networks.live, improved, strict=True) if is_best])
        callback.on_epoch_end(records[0], improved[0])
        trainer.remove([index for index in networks.live if is_out_of_patience(states[index], settings.patience)])
    networks.load_best()
    return [
        TrainingResult(state.history, state.best_epoch, n_visited)
        for state, n_visited in zip(states, trainer.n_visited, strict=True)
    ]


def _build_records(
    epoch: int, trainer: NetworkTrainer, names: Sequence[str], metrics: Sequence[ValidationMetrics | None]
) -> list[EpochRecord]:
    losses, weights = trainer.meter.compute_means(), trainer.meter.compute_mean_weights()
    return [
        EpochRecord(
            epoch=epoch + 1,
            learning_rate=trainer.learning_rate,
            losses={name: losses[name]},
            validation=validation.metrics if validation is not None else {},
            score=validation.score if validation is not None else None,
            weights={name: weights[name]} if name in weights else {},
        )
        for name, validation in zip(names, metrics, strict=True)
    ]


def _update_states(
    states: Sequence[TrainingState], records: Sequence[EpochRecord], metrics: Sequence[ValidationMetrics | None]
) -> list[bool]:
    """Add the records of an epoch to the states of networks, and return whether it is the best one of each so far."""
    improved = []
    for state, record, validation in zip(states, records, metrics, strict=True):
        is_best = validation is None or improves_score(validation, state.best_score)
        if is_best:
            state.best_epoch, state.best_score = record.epoch, record.score
        state.history.append(record)
        state.epoch = record.epoch
        improved.append(is_best)
    return improved
