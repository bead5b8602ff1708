"""Batch samplers: the batches of an epoch depend only on the seed and the epoch, so that a run can resume."""

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.data.columns import rows_with
from mtl_core.data.corpus import Corpus
from mtl_core.data.splitting import Split
from mtl_core.errors import MtlError
from mtl_core.seeding import derive_seed
from mtl_core.training.batches import Rows, epoch_order


class Order(Protocol):
    """Returns the batches of each epoch.

    Attributes:
        steps_per_epoch: The number of batches of an epoch.
    """

    steps_per_epoch: int

    def epoch(self, epoch: int) -> list[Rows]:
        """Return the row indices of each batch; epochs are counted from 0."""


def training_order(config: ExperimentConfig, corpus: Corpus, split: Split, lengths: NDArray[np.int64]) -> Order:
    """Build the batch sampler of a run: one shuffled data set, or several by the sampling strategy.

    Args:
        config: Batch size, buckets, sampling, seed and epochs.
        corpus: The corpus, which contains the data set of each row.
        split: The split, which contains the training examples.
        lengths: `(examples,)`, int64: approximate length of each example of the corpus.
    """
    order: Order = OneSource(config, split.train, lengths)
    if len(config.sources) > 1:
        rows_of = {name: np.intersect1d(split.train, rows_with(corpus.sources, name)) for name in config.sources}
        order = SampledSources(config, {name: found for name, found in rows_of.items() if len(found)}, lengths)
    if split.learned is not None:
        order = Restricted(order, split.learned)
    return WithHelping(config, order, split.helping, lengths) if len(split.helping) else order


class OneSource:
    """Batches of one data set, every example once per epoch.

    Args:
        config: Batch size, buckets and seed.
        rows: Row indices of the training examples.
        lengths: `(examples,)`, int64: approximate length of each example of the corpus.
    """

    def __init__(self, config: ExperimentConfig, rows: Rows, lengths: NDArray[np.int64]) -> None:
        self._passes = _Passes(config, rows, lengths, config.seed)
        self.steps_per_epoch = self._passes.batches

    def epoch(self, epoch: int) -> list[Rows]:
        """Return the shuffled batches of an epoch."""
        return self._passes.of(epoch)


class SampledSources:
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

    def __init__(self, config: ExperimentConfig, rows: Mapping[str, Rows], lengths: NDArray[np.int64]) -> None:
        self._config = config
        self._sources = [
            _Passes(config, found, lengths, derive_seed(config.seed, "source", name))
            for name, found in rows.items()
        ]
        self._batches = [source.batches for source in self._sources]
        self.steps_per_epoch = sum(self._batches)

    def epoch(self, epoch: int) -> list[Rows]:
        """Sample a data set per step and return its next batch.

        Raises:
            MtlError: If the sampling strategy returns an invalid result.
        """
        start = epoch * self.steps_per_epoch
        taken = np.bincount(self._draws[:start], minlength=len(self._sources))
        batches = []
        for source in self._draws[start : start + self.steps_per_epoch].tolist():
            batches.append(self._sources[source].batch(int(taken[source])))
            taken[source] += 1
        return batches

    @cached_property
    def _draws(self) -> NDArray[np.int64]:
        """The data set index per step of the run, `(steps,)`, int64; rounding errors carry over between epochs."""
        total = self._config.training.epochs * self.steps_per_epoch
        strategy, seed = self._config.sampling, derive_seed(self._config.seed, "sampling")
        try:
            draws = np.asarray(strategy.draws(self._batches, range(total), total, seed))
        except MtlError as error:
            raise MtlError(f"the sampling strategy '{strategy.type}' {error}") from error
        known = np.isin(draws, np.arange(len(self._batches)))
        if draws.shape != (total,) or not known.all():
            found = f"{len(draws)} of them" if known.all() else f"{draws[~known][0]}"
            raise MtlError(
                f"the sampling strategy '{strategy.type}' must draw one of {len(self._batches)} data sets, counted "
                f"from 0, for each of {total} steps, but returned {found}"
            )
        return draws.astype(np.int64)


class Restricted:
    """The batches of another sampler without the examples that have no label for an active task.

    The batches correspond step by step to those of the run with all tasks, so that both runs use the same examples
    in the same batches, order and learning rates. A batch without labelled examples is reduced to one example: its
    step updates nothing, and the numbers of later steps do not change.

    Args:
        order: The sampler for all tasks.
        learned: `(examples,)`, bool: which examples of the corpus have a label for an active task.
    """

    def __init__(self, order: Order, learned: NDArray[np.bool_]) -> None:
        self._order = order
        self._learned = learned
        self.steps_per_epoch = order.steps_per_epoch

    def epoch(self, epoch: int) -> list[Rows]:
        """Return the batches of an epoch without unlabelled examples."""
        return [self._kept(batch) for batch in self._order.epoch(epoch)]

    def _kept(self, batch: Rows) -> Rows:
        kept = batch[self._learned[batch]]
        return kept if len(kept) else batch[:1]


class WithHelping:
    """Batches with labels for auxiliary tasks only, inserted at random steps between those of another sampler.

    The batches of the other sampler and their order do not change, so that main tasks use the same batches with and
    without auxiliary tasks.

    Args:
        config: Batch size, buckets and seed.
        order: The sampler of examples with labels for main tasks.
        rows: Row indices of training examples without labels for main tasks.
        lengths: `(examples,)`, int64: approximate length of each example of the corpus.
    """

    def __init__(self, config: ExperimentConfig, order: Order, rows: Rows, lengths: NDArray[np.int64]) -> None:
        self._order = order
        self._seed = derive_seed(config.seed, "helping")
        self._passes = _Passes(config, rows, lengths, self._seed)
        self.steps_per_epoch = order.steps_per_epoch + self._passes.batches

    def epoch(self, epoch: int) -> list[Rows]:
        """Return the batches of an epoch, with the auxiliary batches at random steps."""
        random = np.random.default_rng(derive_seed(self._seed, "places", epoch))
        main, helping = iter(self._order.epoch(epoch)), iter(self._passes.of(epoch))
        places = set(random.permutation(self.steps_per_epoch)[: self._passes.batches].tolist())
        return [next(helping) if step in places else next(main) for step in range(self.steps_per_epoch)]


class _Passes:
    """Independently shuffled passes over one data set.

    Args:
        config: Batch size and buckets.
        rows: Row indices of its training examples.
        lengths: `(examples,)`, int64: approximate length of each example of the corpus.
        seed: The seed of the data set.
    """

    def __init__(self, config: ExperimentConfig, rows: Rows, lengths: NDArray[np.int64], seed: int) -> None:
        self._settings, self._rows, self._lengths, self._seed = config.training, rows, lengths, seed
        self.batches = -(-len(rows) // config.training.batch_size)
        self._latest: tuple[int, list[Rows]] = (-1, [])

    def of(self, number: int) -> list[Rows]:
        """Return the batches of a pass, counted from 0."""
        settings = self._settings
        return epoch_order(
            self._rows, self._lengths, settings.batch_size, settings.bucket_batches, self._seed, number
        )

    def batch(self, number: int) -> Rows:
        """Return one batch, counted from 0 over all passes."""
        wanted, place = divmod(number, self.batches)
        if wanted != self._latest[0]:
            self._latest = (wanted, self.of(wanted))
        return self._latest[1][place]
