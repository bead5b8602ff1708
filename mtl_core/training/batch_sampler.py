"""Batch samplers: the batches of an epoch depend only on the seed and the epoch, so that a run can resume."""

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.batches import RowIndices, build_epoch_batches
from mtl_core.data.columns import find_rows
from mtl_core.data.corpus import Corpus
from mtl_core.data.splitting import Split
from mtl_core.errors import MtlError
from mtl_core.seeding import derive_seed


class BatchSampler(Protocol):
    """Returns the batches of each epoch.

    Attributes:
        steps_per_epoch: The number of batches of an epoch.
    """

    steps_per_epoch: int

    def get_batches(self, epoch: int) -> list[RowIndices]:
        """Return the row indices of each batch; epochs are counted from 0."""


def build_batch_sampler(
    config: ExperimentConfig, corpus: Corpus, split: Split, lengths: NDArray[np.int64]
) -> BatchSampler:
    """Build the batch sampler of a run: one shuffled data set, or several by the sampling strategy.

    Args:
        config: Batch size, buckets, sampling, seed and epochs.
        corpus: The corpus, which contains the data set of each row.
        split: The split, which contains the training examples.
        lengths: `(examples,)`, int64: approximate length of each example of the corpus.
    """
    batch_sampler: BatchSampler = ShuffledSampler(config, split.train, lengths)
    if len(config.loaders) > 1:
        source_rows = {name: np.intersect1d(split.train, find_rows(corpus.sources, name)) for name in config.loaders}
        batch_sampler = MultiSourceSampler(
            config, {name: row_indices for name, row_indices in source_rows.items() if len(row_indices)}, lengths
        )
    if split.label_mask is not None:
        batch_sampler = LabelledSampler(batch_sampler, split.label_mask)
    return (
        AuxiliarySampler(config, batch_sampler, split.auxiliary_only, lengths)
        if len(split.auxiliary_only)
        else batch_sampler
    )


class ShuffledSampler:
    """Batches of one data set, every example once per epoch.

    Args:
        config: Batch size, buckets and seed.
        rows: Row indices of the training examples.
        lengths: `(examples,)`, int64: approximate length of each example of the corpus.
    """

    def __init__(self, config: ExperimentConfig, rows: RowIndices, lengths: NDArray[np.int64]) -> None:
        self._passes = _ShuffledPasses(config, rows, lengths, config.seed)
        self.steps_per_epoch = self._passes.n_batches

    def get_batches(self, epoch: int) -> list[RowIndices]:
        """Return the shuffled batches of an epoch."""
        return self._passes.get_pass(epoch)


class MultiSourceSampler:
    """Batches of several data sets, each batch from one of them.

    The number of steps per epoch is the total number of batches of all data sets. Each data set is traversed in
    independently shuffled passes: a data set that is sampled often starts a new pass when the current one is
    exhausted; a data set that is sampled rarely continues its pass in the next epoch. A data set without training
    examples is never sampled.

    Args:
        config: Sampling, batch size, buckets, seed and epochs.
        rows: Mapping of data set name to the row indices of its training examples; none is empty.
        lengths: `(examples,)`, int64: approximate length of each example of the corpus.
    """

    def __init__(self, config: ExperimentConfig, rows: Mapping[str, RowIndices], lengths: NDArray[np.int64]) -> None:
        self._config = config
        self._passes = [
            _ShuffledPasses(config, row_indices, lengths, derive_seed(config.seed, "source", name))
            for name, row_indices in rows.items()
        ]
        self._batches = [source.n_batches for source in self._passes]
        self.steps_per_epoch = sum(self._batches)

    def get_batches(self, epoch: int) -> list[RowIndices]:
        """Sample a data set per step and return its next batch.

        Raises:
            MtlError: If the sampling strategy returns an invalid result.
        """
        start = epoch * self.steps_per_epoch
        batch_counts = np.bincount(self._draws[:start], minlength=len(self._passes))
        batches = []
        for source in self._draws[start : start + self.steps_per_epoch].tolist():
            batches.append(self._passes[source].get_batch(int(batch_counts[source])))
            batch_counts[source] += 1
        return batches

    @cached_property
    def _draws(self) -> NDArray[np.int64]:
        """The data set index per step of the run, `(steps,)`, int64; rounding errors carry over between epochs."""
        total = self._config.training.epochs * self.steps_per_epoch
        strategy, seed = self._config.sampling, derive_seed(self._config.seed, "sampling")
        try:
            draws = np.asarray(strategy.choose_data_sets(self._batches, range(total), total, seed))
        except MtlError as error:
            raise MtlError(f"the sampling strategy '{strategy.type}' {error}") from error
        is_valid = np.isin(draws, np.arange(len(self._batches)))
        if draws.shape != (total,) or not is_valid.all():
            description = f"{len(draws)} of them" if is_valid.all() else f"{draws[~is_valid][0]}"
            raise MtlError(
                f"the sampling strategy '{strategy.type}' must draw one of {len(self._batches)} data sets, counted "
                f"from 0, for each of {total} steps, but returned {description}"
            )
        return draws.astype(np.int64)


class LabelledSampler:
    """The batches of another sampler without the examples that have no label for an active task.

    The batches correspond step by step to those of the run with all tasks, so that both runs use the same examples
    in the same batches, order and learning rates. A batch without labelled examples is reduced to one example: its
    step updates nothing, and the numbers of later steps do not change.

    Args:
        batch_sampler: The sampler for all tasks.
        label_mask: `(examples,)`, bool: which examples of the corpus have a label for an active task.
    """

    def __init__(self, batch_sampler: BatchSampler, label_mask: NDArray[np.bool_]) -> None:
        self._batch_sampler = batch_sampler
        self._label_mask = label_mask
        self.steps_per_epoch = batch_sampler.steps_per_epoch

    def get_batches(self, epoch: int) -> list[RowIndices]:
        """Return the batches of an epoch without unlabelled examples."""
        return [self._select_labelled(batch) for batch in self._batch_sampler.get_batches(epoch)]

    def _select_labelled(self, batch: RowIndices) -> RowIndices:
        labelled_rows = batch[self._label_mask[batch]]
        return labelled_rows if len(labelled_rows) else batch[:1]


class AuxiliarySampler:
    """Batches with labels for auxiliary tasks only, inserted at random steps between those of another sampler.

    The batches of the other sampler and their order do not change, so that main tasks use the same batches with and
    without auxiliary tasks.

    Args:
        config: Batch size, buckets and seed.
        batch_sampler: The sampler of examples with labels for main tasks.
        rows: Row indices of training examples without labels for main tasks.
        lengths: `(examples,)`, int64: approximate length of each example of the corpus.
    """

    def __init__(
        self, config: ExperimentConfig, batch_sampler: BatchSampler, rows: RowIndices, lengths: NDArray[np.int64]
    ) -> None:
        self._batch_sampler = batch_sampler
        self._seed = derive_seed(config.seed, "helping")
        self._passes = _ShuffledPasses(config, rows, lengths, self._seed)
        self.steps_per_epoch = batch_sampler.steps_per_epoch + self._passes.n_batches

    def get_batches(self, epoch: int) -> list[RowIndices]:
        """Return the batches of an epoch, with the auxiliary batches at random steps."""
        random = np.random.default_rng(derive_seed(self._seed, "places", epoch))
        main_batches, auxiliary_batches = (
            iter(self._batch_sampler.get_batches(epoch)),
            iter(self._passes.get_pass(epoch)),
        )
        auxiliary_steps = set(random.permutation(self.steps_per_epoch)[: self._passes.n_batches].tolist())
        return [
            next(auxiliary_batches) if step in auxiliary_steps else next(main_batches)
            for step in range(self.steps_per_epoch)
        ]


class _ShuffledPasses:
    """Independently shuffled passes over one data set.

    Args:
        config: Batch size and buckets.
        rows: Row indices of its training examples.
        lengths: `(examples,)`, int64: approximate length of each example of the corpus.
        seed: The seed of the data set.
    """

    def __init__(self, config: ExperimentConfig, rows: RowIndices, lengths: NDArray[np.int64], seed: int) -> None:
        self._settings, self._rows, self._lengths, self._seed = config.training, rows, lengths, seed
        self.n_batches = -(-len(rows) // config.training.batch_size)
        self._latest: tuple[int, list[RowIndices]] = (-1, [])

    def get_pass(self, pass_index: int) -> list[RowIndices]:
        """Return the batches of a pass, counted from 0."""
        settings = self._settings
        return build_epoch_batches(
            self._rows, self._lengths, settings.batch_size, settings.length_buckets, self._seed, pass_index
        )

    def get_batch(self, batch_index: int) -> RowIndices:
        """Return one batch, counted from 0 over all passes."""
        pass_index, index = divmod(batch_index, self.n_batches)
        if pass_index != self._latest[0]:
            self._latest = (pass_index, self.get_pass(pass_index))
        return self._latest[1][index]
