"""The training loop of several networks at once."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.artifacts.history import EpochRecord
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import Batch, Examples, RowIndices, sample_token_mask
from mtl_core.data.fitted_task import FittedTask
from mtl_core.data.task_groups import TaskGroup, group_tasks
from mtl_core.seeding import derive_seed
from mtl_core.training.batch_sampler import BatchSampler
from mtl_core.training.batched_networks.dropout_masks import DropoutMasks, DropoutSite
from mtl_core.training.batched_networks.network_batch import NetworkBatch, find_batch_rows, select_network_batch
from mtl_core.training.batched_networks.stacked_networks import StackedNetworks
from mtl_core.training.batched_networks.step import draw_masks, step_networks
from mtl_core.training.callback import Callback
from mtl_core.training.checkpoint import TrainingState
from mtl_core.training.loop import TrainingResult, ValidationMetrics, improves_score, is_out_of_patience
from mtl_core.training.loss_meter import LossMeter
from mtl_core.training.losses import TaskLosses
from mtl_core.training.non_finite import NonFiniteLossError, TrainingFailedError
from mtl_core.training.objective import Objective


class LiveTasks:
    """The tasks of the networks that are still trained.

    Args:
        group: The head group of all tasks.
        live: Indices of the tasks, sorted.
        config: The experiment.
    """

    def __init__(self, group: TaskGroup, live: Sequence[int], config: ExperimentConfig) -> None:
        self.live = list(live)
        self.tasks: list[FittedTask] = [group.tasks[index] for index in live]
        (self.group,) = group_tasks(self.tasks)
        self.objective = Objective([self.group], config.weighting, config.seed)
        self._columns = torch.tensor(self.live) if len(live) < len(group.tasks) else None

    def select(self, batch: Batch) -> Batch:
        """Return a batch with the targets and weights of these tasks only."""
        if self._columns is None:
            return batch
        (targets,), (weights,) = batch.targets, batch.weights
        columns = self._columns.to(targets.device)
        selected = None if weights is None else weights.index_select(1, columns)
        return replace(batch, targets=[targets.index_select(1, columns)], weights=[selected])


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
        config: Batch size, optimizer, schedule, patience and other settings.
        networks: The networks with initial weights, in the order of the tasks of the group.
        group: The tasks, one per network.
        examples: Items and targets, with one head group.
        batch_sampler: The batches of each epoch, from which each network reads the examples with a label for its task.
        label_masks: `(examples, tasks)`, bool: which examples are in the batches of each network.
        validate: Computes the validation metrics of live networks; None without validation data.
        callback: The callback that receives the events of the training. An epoch ends with the record of the first
            live network.

    Returns:
        The result of each network.

    Raises:
        TrainingFailedError: If a loss or weight of a network is not finite.
    """
    settings = config.training
    parameters = [parameter for one in networks.parameters for parameter in one.values()]
    optimizer = config.optimizer.build(parameters)
    (base_lr,) = (parameter_group["lr"] for parameter_group in optimizer.param_groups)
    n_steps = settings.epochs * batch_sampler.steps_per_epoch
    names = [task.name for task in group.tasks]
    states = [TrainingState() for _ in names]
    live_tasks = LiveTasks(group, networks.live, config)
    sites = _find_sites(networks, examples, batch_sampler)
    dropout = DropoutMasks(sites)
    n_visited = [0] * len(names)
    step = 0
    for epoch in range(settings.epochs):
        if not networks.live:
            break
        batches = batch_sampler.get_batches(epoch)
        callback.on_epoch_start(epoch + 1, settings.epochs, len(batches), 0)
        dropout.start_epoch(derive_seed(config.seed, "dropout", epoch))
        meter = LossMeter(names)
        for batch_index, (rows, next_rows) in enumerate(pairwise([*batches, None])):
            assert rows is not None  # noqa: S101  only the last one is
            factor = config.schedule.compute_factor(step, n_steps)
            for parameter_group in optimizer.param_groups:
                parameter_group["lr"] = base_lr * factor
            live_tasks.objective.on_step_start(step, n_steps)
            is_labelled = label_masks[rows][:, networks.live]
            _count_visits(n_visited, networks.live, is_labelled)
            batch = _build_batch(networks, live_tasks, examples, rows, is_labelled)
            if next_rows is not None:
                examples.prefetch(next_rows)
            if batch is not None:
                masks = draw_masks(dropout, sites, batch, networks)
                try:
                    losses = step_networks(
                        networks, live_tasks.objective, optimizer, batch, masks, settings.max_grad_norm
                    )
                except NonFiniteLossError as error:
                    raise _describe_loss(error, live_tasks, batch, rows, epoch, batch_index) from error
                meter.add(_index_all(losses, networks.live, len(names)))
            step += 1
            callback.on_step_end(meter.compute_means)
        if non_finite := networks.find_non_finite():
            raise TrainingFailedError(
                f"epoch {epoch + 1}: the weights of the network of task '{names[non_finite[0]]}' are not finite",
                [],
                0,
                None,
            )
        learning_rate = base_lr * config.schedule.compute_factor(step - 1, n_steps)
        metrics = validate(live_tasks) if validate is not None else [None] * len(networks.live)
        records = _build_records(epoch, learning_rate, meter, [names[index] for index in networks.live], metrics)
        improved = _update_states([states[index] for index in networks.live], records, metrics)
        networks.save_best([index for index, is_best in zip(networks.live, improved, strict=True) if is_best])
        live_tasks.objective.on_epoch_end([])
        callback.on_epoch_end(records[0], improved[0])
        finished = [index for index in networks.live if is_out_of_patience(states[index], settings.patience)]
        if finished:
            networks.remove(finished, optimizer)
            if networks.live:
                live_tasks = LiveTasks(group, networks.live, config)
    networks.load_best()
    return [
        TrainingResult(state.history, state.best_epoch, visits) for state, visits in zip(states, n_visited, strict=True)
    ]


def _find_sites(networks: StackedNetworks, examples: Examples, batch_sampler: BatchSampler) -> list[DropoutSite]:
    """Return the applications of dropout in a forward pass, here of one example twice."""
    row = batch_sampler.get_batches(0)[0][:1]
    return networks.find_dropout_sites(examples.build_batch(np.concatenate([row, row]), networks.device).inputs)


def _build_batch(
    networks: StackedNetworks,
    live_tasks: LiveTasks,
    examples: Examples,
    rows: RowIndices,
    is_labelled: NDArray[np.bool_],
) -> NetworkBatch | None:
    built = examples.build_batch(rows, networks.device, sample_token_mask, [True], examples.encoder.augment)
    batch = live_tasks.select(built)
    (mask,) = live_tasks.objective.compute_masks(batch)
    return select_network_batch(batch, mask, is_labelled)


def _count_visits(n_visited: list[int], live: Sequence[int], is_labelled: NDArray[np.bool_]) -> None:
    """Add the examples of a batch; a separate training visits one example of a batch without labels."""
    for index, count in zip(live, is_labelled.sum(axis=0).tolist(), strict=True):
        n_visited[index] += max(count, 1)


def _index_all(losses: TaskLosses, live: Sequence[int], n_tasks: int) -> TaskLosses:
    """Return losses whose tasks are indices of all tasks, instead of live tasks; the weight of each loss is 1."""
    index = torch.tensor(live)
    counts = torch.zeros(n_tasks, dtype=torch.int64)
    counts[index] = losses.counts.cpu()
    values = losses.values.detach().cpu()
    values.grad = torch.ones_like(values)
    return TaskLosses(values, index[losses.tasks.cpu()], counts)


def _build_records(
    epoch: int,
    learning_rate: float,
    meter: LossMeter,
    names: Sequence[str],
    metrics: Sequence[ValidationMetrics | None],
) -> list[EpochRecord]:
    losses, weights = meter.compute_means(), meter.compute_mean_weights()
    return [
        EpochRecord(
            epoch=epoch + 1,
            learning_rate=learning_rate,
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


def _describe_loss(
    error: NonFiniteLossError,
    live_tasks: LiveTasks,
    batch: NetworkBatch,
    rows: RowIndices,
    epoch: int,
    batch_index: int,
) -> TrainingFailedError:
    """Build the error of a loss that is not finite, with the examples that the network reads."""
    network = next(index for index, task in enumerate(live_tasks.tasks) if task.name == error.task)
    n_rows = int(batch.is_read[list(batch.networks).index(network)].sum())
    return TrainingFailedError(
        f"epoch {epoch + 1}, batch {batch_index + 1}: {error}",
        find_batch_rows(batch, network, error.indices, rows),
        n_rows,
        None,
    )
