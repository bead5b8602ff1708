"""The training loop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from mtl_core.artifacts.history import EpochRecord
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import Batch, Examples, RowIndices, sample_token_mask
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.seeding import derive_seed
from mtl_core.training.batch_sampler import BatchSampler
from mtl_core.training.callback import Callback
from mtl_core.training.checkpoint import Tensors, TrainingState, load_checkpoint, save_checkpoint, select_prefix
from mtl_core.training.distributed import DistributedContext
from mtl_core.training.gradients import StepGradients
from mtl_core.training.interaction_observer import InteractionObserver
from mtl_core.training.loss_meter import LossMeter
from mtl_core.training.non_finite import NonFiniteLossError, TrainingFailedError
from mtl_core.training.objective import Objective
from mtl_core.training.optimizer import build_optimizer
from mtl_core.training.step import training_step


@dataclass(frozen=True)
class ValidationMetrics:
    """Validation metrics after an epoch.

    Attributes:
        metrics: Mapping of metric name to value; None if undefined.
        score: The metric that selects the best epoch; None if undefined.
        higher_is_better: Whether a higher score is better.
    """

    metrics: dict[str, float | None]
    score: float | None
    higher_is_better: bool


@dataclass(frozen=True)
class TrainingResult:
    """The result of a training. The network has the weights of the best epoch.

    Attributes:
        history: One record per epoch.
        best_epoch: The best epoch, counted from 1; the last epoch without validation data.
        n_examples: Number of examples that all ranks together have visited.
    """

    history: list[EpochRecord]
    best_epoch: int
    n_examples: int

    @property
    def best_score(self) -> float | None:
        """The selection score of the best epoch; None without validation data."""
        return next((record.score for record in self.history if record.epoch == self.best_epoch), None)


def train(
    config: ExperimentConfig,
    network: MultiTaskNetwork,
    objective: Objective,
    examples: Examples,
    batch_sampler: BatchSampler,
    epochs: int,
    accelerator: Accelerator,
    validate: Callable[[], ValidationMetrics] | None,
    checkpoint_path: Path | None,
    callback: Callback,
    observer: InteractionObserver | None = None,
) -> TrainingResult:
    """Train a network and load the weights of its best epoch.

    Args:
        config: Batch size, optimizer, schedule, patience and other settings.
        network: The network with initial weights.
        objective: Losses and weighting.
        examples: Items and targets.
        batch_sampler: The batches of each epoch.
        epochs: Maximum number of epochs.
        accelerator: Devices and precision.
        validate: Computes the validation metrics; None without validation data, then the last epoch is the best.
        checkpoint_path: The file to save after each epoch, and to resume from if it exists.
        callback: The callback that receives the events of the training.
        observer: Inspects the gradients of tasks in some of the steps.

    Raises:
        TrainingFailedError: If a loss or weight is not finite; the network then has the last finite weights.
        MtlError: If the checkpoint cannot be read or written.
    """
    settings, distributed = config.training, DistributedContext.from_accelerator(accelerator)
    # Not `prepare`: it would wrap the network in DistributedDataParallel; `StepGradients` reduces the gradients.
    network = accelerator.prepare_model(network, evaluation_mode=True)
    objective.to(accelerator.device)
    optimizer = build_optimizer(config, network, objective)
    if accelerator.scaler is not None:  # fp16: without scaling, Accelerate's wrapper would only take 0.3 ms per step
        optimizer = accelerator.prepare_optimizer(optimizer)
    gradients = StepGradients(accelerator, network, objective.group_sizes, distributed)
    modules = {"network": network, "objective": objective}
    if observer is not None:
        modules["interactions"] = observer
        observer.attach(network, objective.group_sizes)
    base_lrs = [group["lr"] for group in optimizer.param_groups]
    # The schedule spans the configured epochs, even if this training has fewer, so that it is the same schedule.
    steps = settings.epochs * batch_sampler.steps_per_epoch

    training_state, meter, best_weights = TrainingState(), LossMeter(objective.names), _copy_weights(network)
    rng_state: torch.Tensor | None = None
    if checkpoint_path is not None and checkpoint_path.exists():
        training_state, extra = load_checkpoint(checkpoint_path, modules, optimizer)
        rng_state, best_weights = extra.pop("generator"), select_prefix(extra, "best.")
        meter.restore(extra)

    def save() -> None:
        if checkpoint_path is None or distributed.rank:
            return
        extra = {"generator": torch.get_rng_state(), **meter.get_tensors()}
        extra |= {f"best.{key}": value for key, value in best_weights.items()}
        save_checkpoint(checkpoint_path, training_state, modules, optimizer, extra)

    def build_error(reason: str, row_indices: Sequence[int], batch_size: int) -> TrainingFailedError:
        weights_description = None
        if training_state.best_epoch:
            network.load_state_dict(best_weights)
            weights_description = f"the weights after epoch {training_state.best_epoch}"
        elif _is_finite(network):
            weights_description = "the weights before this batch"
        return TrainingFailedError(reason, row_indices, batch_size, weights_description)

    n_visited = 0
    while training_state.epoch < epochs and not is_out_of_patience(training_state, settings.patience):
        batches = batch_sampler.get_batches(training_state.epoch)
        callback.on_epoch_start(training_state.epoch + 1, epochs, len(batches), training_state.batch)
        if training_state.batch == 0:
            torch.manual_seed(derive_seed(config.seed, "dropout", training_state.epoch))
            meter = LossMeter(objective.names)
        elif rng_state is not None:
            torch.set_rng_state(rng_state)
        rng_state = None
        network.train()
        for batch_rows, next_rows in pairwise([*batches[training_state.batch :], None]):
            assert batch_rows is not None  # noqa: S101  only the last one is
            lr_factor = config.schedule.compute_factor(training_state.step, steps)
            for group, lr in zip(optimizer.param_groups, base_lrs, strict=True):
                group["lr"] = lr * lr_factor
            objective.on_step_start(training_state.step, steps)
            network.trunk.on_step_start(training_state.step, steps)
            should_observe = observer is not None and observer.should_observe(
                training_state.step, base_lrs[0] * lr_factor
            )
            if distributed.world_size > 1:  # independent dropout per rank
                torch.manual_seed(derive_seed(config.seed, "dropout", training_state.step, distributed.rank))
            rows = distributed.shard(batch_rows)
            n_visited += len(batch_rows)
            if settings.r_drop:  # R-Drop: the same examples with other dropout masks
                rows = np.concatenate([rows, rows])
            batch = _build_batch(examples, rows, batch_rows, accelerator.device, objective.active_groups)
            batch = replace(batch, is_duplicated=settings.r_drop > 0 and len(rows) > 0)
            if next_rows is not None:
                examples.prefetch(distributed.shard(next_rows))
            try:
                losses = training_step(
                    gradients,
                    network,
                    objective,
                    optimizer,
                    batch,
                    settings.max_grad_norm,
                    observer if should_observe else None,
                )
            except NonFiniteLossError as error:
                location = f"epoch {training_state.epoch + 1}, batch {training_state.batch + 1}"
                failed_rows, n_rows = _gather_rows(distributed, rows, error.indices)
                raise build_error(f"{location}: {error}", failed_rows, n_rows) from error
            meter.add(losses)
            training_state.step += 1
            training_state.batch += 1
            callback.on_step_end(meter.compute_means)
            if settings.checkpoint_steps and training_state.batch % settings.checkpoint_steps == 0:
                save()

        if not _is_finite(network):
            raise build_error(f"epoch {training_state.epoch + 1}: the weights of the network are not finite", [], 0)
        validation = validate() if validate is not None else None
        record = EpochRecord(
            epoch=training_state.epoch + 1,
            # Computed, not read from the optimizer: a resumed epoch may have no batch left.
            learning_rate=base_lrs[0] * config.schedule.compute_factor(training_state.step - 1, steps),
            losses=meter.compute_means(),
            validation=validation.metrics if validation else {},
            score=validation.score if validation else None,
            weights=meter.compute_mean_weights(),
        )
        is_better = validation is None or improves_score(validation, training_state.best_score)
        if is_better:
            training_state.best_epoch, training_state.best_score, best_weights = (
                record.epoch,
                record.score,
                _copy_weights(network),
            )
        training_state.history.append(record)
        training_state.epoch, training_state.batch = training_state.epoch + 1, 0
        objective.on_epoch_end(list(record.losses.values()))
        if observer is not None:
            observer.on_epoch_end(record.epoch)
        callback.on_epoch_end(record, is_better)
        save()

    network.load_state_dict(best_weights)
    return TrainingResult(training_state.history, training_state.best_epoch, n_visited)


def _build_batch(
    examples: Examples,
    rows: RowIndices,
    batch_rows: RowIndices,
    device: torch.device,
    active_groups: Sequence[bool],
) -> Batch:
    """Build the shard of this rank; for an empty shard, one example of the batch without labels."""
    if len(rows):
        return examples.build_batch(rows, device, sample_token_mask, active_groups, examples.encoder.augment)
    return examples.build_batch(batch_rows[:1], device, sample_token_mask, active_groups).drop_labels()


def _gather_rows(distributed: DistributedContext, rows: RowIndices, failed: Sequence[int]) -> tuple[list[int], int]:
    """Return the rows of the failed examples of all ranks, and the number of rows of all ranks."""
    shards = distributed.all_gather((rows[list(failed)].tolist(), len(rows)))
    return [row for failed_rows, _ in shards for row in failed_rows], sum(n_rows for _, n_rows in shards)


def improves_score(validation: ValidationMetrics, best_score: float | None) -> bool:
    """Return whether a score is better than the best so far; without any score, the later epoch is better."""
    if validation.score is None or best_score is None:
        return best_score is None
    return validation.score > best_score if validation.higher_is_better else validation.score < best_score


def is_out_of_patience(training_state: TrainingState, patience: int | None) -> bool:
    """Return whether training stops, since the best epoch is too long ago."""
    return patience is not None and training_state.epoch - training_state.best_epoch >= patience


def _is_finite(network: torch.nn.Module) -> bool:
    return all(bool(torch.isfinite(parameter).all()) for parameter in network.parameters())


def _copy_weights(network: torch.nn.Module) -> Tensors:
    return {key: value.detach().clone() for key, value in network.state_dict().items()}
