"""One training of several networks at once, step by step."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

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


class NetworkTrainer:
    """Trains networks step by step.

    Args:
        config: Batch size, optimizer, schedule and other settings.
        networks: The networks with initial weights, in the order of the tasks of the group.
        group: The tasks; networks beyond their number are not trained.
        examples: Items and targets, with one head group.
        batch_sampler: The batches of each epoch, from which each network reads the examples with a label for its task.
        label_masks: `(examples, networks)`, bool: which examples are in the batches of each network.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        networks: StackedNetworks,
        group: TaskGroup,
        examples: Examples,
        batch_sampler: BatchSampler,
        label_masks: NDArray[np.bool_],
    ) -> None:
        self._config, self._networks, self._group, self._examples = config, networks, group, examples
        self._label_masks = label_masks
        self.optimizer = config.optimizer.build([one for named in networks.parameters for one in named.values()])
        (self._base_lr,) = (parameter_group["lr"] for parameter_group in self.optimizer.param_groups)
        self._n_steps = config.training.epochs * batch_sampler.steps_per_epoch
        self._step = self._batch_index = self._epoch = 0
        self.live_tasks = LiveTasks(group, networks.live, config)
        self._sites = _find_sites(networks, examples, batch_sampler)
        self._dropout = DropoutMasks(self._sites)
        self._names = [task.name for task in group.tasks]
        self.meter = LossMeter(self._names)
        self.n_visited = [0] * len(self._names)

    @property
    def learning_rate(self) -> float:
        """The learning rate of the last step."""
        return float(self._base_lr * self._config.schedule.compute_factor(self._step - 1, self._n_steps))

    def start_epoch(self, epoch: int) -> None:
        """Start an epoch, counted from 0: new losses, new dropout masks."""
        self._epoch, self._batch_index = epoch, 0
        self._dropout.start_epoch(derive_seed(self._config.seed, "dropout", epoch))
        self.meter = LossMeter(self._names)

    def step(self, rows: RowIndices) -> None:
        """Update every network that has a label in a batch.

        Raises:
            TrainingFailedError: If a loss is not finite.
        """
        factor = self._config.schedule.compute_factor(self._step, self._n_steps)
        for parameter_group in self.optimizer.param_groups:
            parameter_group["lr"] = self._base_lr * factor
        self.live_tasks.objective.on_step_start(self._step, self._n_steps)
        live = self._networks.live
        is_labelled = self._label_masks[rows][:, live]
        for index, count in zip(live, is_labelled.sum(axis=0).tolist(), strict=True):
            self.n_visited[index] += max(count, 1)  # a separate training visits one example of a batch without labels
        batch = self._build_batch(rows, is_labelled)
        if batch is not None:
            masks = draw_masks(self._dropout, self._sites, batch, self._networks)
            max_grad_norm = self._config.training.max_grad_norm
            try:
                losses = step_networks(
                    self._networks, self.live_tasks.objective, self.optimizer, batch, masks, max_grad_norm
                )
            except NonFiniteLossError as error:
                location = f"epoch {self._epoch + 1}, batch {self._batch_index + 1}"
                raise _describe_loss(error, self.live_tasks, batch, rows, location) from error
            self.meter.add(_index_all(losses, live, len(self._names)))
        self._step += 1
        self._batch_index += 1

    def _build_batch(self, rows: RowIndices, is_labelled: NDArray[np.bool_]) -> NetworkBatch | None:
        augment, device = self._examples.encoder.augment, self._networks.device
        batch = self.live_tasks.select(self._examples.build_batch(rows, device, sample_token_mask, [True], augment))
        (mask,) = self.live_tasks.objective.compute_masks(batch)
        return select_network_batch(batch, mask, is_labelled)

    def remove(self, networks: Sequence[int]) -> None:
        """Stop to train some networks."""
        if not networks:
            return
        self._networks.remove(networks, self.optimizer)
        if self._networks.live:
            self.live_tasks = LiveTasks(self._group, self._networks.live, self._config)

    def check_finite(self) -> None:
        """Check the weights of all networks.

        Raises:
            TrainingFailedError: If a weight is not finite.
        """
        non_finite = self._networks.find_non_finite()
        if non_finite:
            name = self._names[non_finite[0]]
            reason = f"epoch {self._epoch + 1}: the weights of the network of task '{name}' are not finite"
            raise TrainingFailedError(reason, [], 0, None)


def _find_sites(networks: StackedNetworks, examples: Examples, batch_sampler: BatchSampler) -> list[DropoutSite]:
    """Return the applications of dropout in a forward pass, here of one example twice."""
    row = batch_sampler.get_batches(0)[0][:1]
    return networks.find_dropout_sites(examples.build_batch(np.concatenate([row, row]), networks.device).inputs)


def _index_all(losses: TaskLosses, live: Sequence[int], n_tasks: int) -> TaskLosses:
    """Return losses whose tasks are indices of all tasks, instead of live tasks; the weight of each loss is 1."""
    index = torch.tensor(live)
    counts = torch.zeros(n_tasks, dtype=torch.int64)
    counts[index] = losses.counts.cpu()
    values = losses.values.detach().cpu()
    values.grad = torch.ones_like(values)
    return TaskLosses(values, index[losses.tasks.cpu()], counts)


def _describe_loss(
    error: NonFiniteLossError, live_tasks: LiveTasks, batch: NetworkBatch, rows: RowIndices, location: str
) -> TrainingFailedError:
    """Build the error of a loss that is not finite, with the examples that the network reads."""
    network = next(index for index, task in enumerate(live_tasks.tasks) if task.name == error.task)
    n_rows = int(batch.is_read[list(batch.networks).index(network)].sum())
    failed_rows = find_batch_rows(batch, network, error.indices, rows)
    return TrainingFailedError(f"{location}: {error}", failed_rows, n_rows, None)
