"""Which batches an epoch has, in which order: a function of the seed and the epoch alone, so a run can go on."""

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
    """Gives the batches of each epoch."""

    steps_per_epoch: int

    def epoch(self, epoch: int) -> list[Rows]:
        """The rows of each batch; epochs are counted from 0."""


def training_order(config: ExperimentConfig, corpus: Corpus, split: Split, lengths: NDArray[np.int64]) -> Order:
    """Make the order of a run: one data set shuffled, or batches of several by the sampling strategy.

    Args:
        config: Batch size, buckets, sampling, seed and epochs.
        corpus: Says which data set each row comes from.
        split: Says which examples to train on.
        lengths: About how long each example of the corpus is.
    """
    order: Order = OneSource(config, split.train, lengths)
    if len(config.sources) > 1:
        rows_of = {name: np.intersect1d(split.train, rows_with(corpus.sources, name)) for name in config.sources}
        order = SampledSources(config, {name: found for name, found in rows_of.items() if len(found)}, lengths)
    if split.learned is not None:
        order = Restricted(order, split.learned)
    return WithHelping(config, order, split.helping, lengths) if len(split.helping) else order


class OneSource:
    """Every example once an epoch.

    Args:
        config: Batch size, buckets and seed.
        rows: The training examples.
        lengths: About how long each example of the corpus is.
    """

    def __init__(self, config: ExperimentConfig, rows: Rows, lengths: NDArray[np.int64]) -> None:
        self._passes = _Passes(config, rows, lengths, config.seed)
        self.steps_per_epoch = self._passes.batches

    def epoch(self, epoch: int) -> list[Rows]:
        """Shuffle and cut."""
        return self._passes.of(epoch)


class SampledSources:
    """Batches of several data sets, each batch from one of them.

    An epoch has as many steps as all data sets have batches. Each data set has an order of its own, pass after
    pass: one that is drawn often begins again, in a new order, when it has run dry; one that is drawn seldom goes
    on in the next epoch where it stopped. A data set without training examples is never drawn.

    Args:
        config: Sampling, batch size, buckets, seed and epochs.
        rows: Each data set's training examples, by name; none is empty.
        lengths: About how long each example of the corpus is.
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
        """Draw a data set for each step, and take its next batch.

        Raises:
            MtlError: If the sampling strategy's answer is none.
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
        """A data set for each step of the run, `(steps,)`: what an epoch owes a data set is paid in the next."""
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
                f"from 0, for each of {total} steps, but gave {found}"
            )
        return draws.astype(np.int64)


class Restricted:
    """The batches of another order without the examples that no learned task has a label for.

    Step for step these are the batches of the run that learns all tasks, so that the two see the same examples
    together, in the same order and at the same learning rate. Of a batch in which nothing is labelled one example
    stays: a step without a label moves nothing, and the steps after it keep their numbers.

    Args:
        order: The batches of all tasks.
        learned: `(examples,)`, bool: which examples of the corpus a learned task has a label for.
    """

    def __init__(self, order: Order, learned: NDArray[np.bool_]) -> None:
        self._order = order
        self._learned = learned
        self.steps_per_epoch = order.steps_per_epoch

    def epoch(self, epoch: int) -> list[Rows]:
        """Leave out."""
        return [self._kept(batch) for batch in self._order.epoch(epoch)]

    def _kept(self, batch: Rows) -> Rows:
        kept = batch[self._learned[batch]]
        return kept if len(kept) else batch[:1]


class WithHelping:
    """Batches for auxiliary tasks alone, strewn among those of another order.

    The other batches stay as they are, in their order, so that with and without auxiliary tasks the main tasks
    learn from the same ones.

    Args:
        config: Batch size, buckets and seed.
        order: The batches with labels for main tasks.
        rows: Training examples without any.
        lengths: About how long each example of the corpus is.
    """

    def __init__(self, config: ExperimentConfig, order: Order, rows: Rows, lengths: NDArray[np.int64]) -> None:
        self._order = order
        self._seed = derive_seed(config.seed, "helping")
        self._passes = _Passes(config, rows, lengths, self._seed)
        self.steps_per_epoch = order.steps_per_epoch + self._passes.batches

    def epoch(self, epoch: int) -> list[Rows]:
        """Put the further batches at random places."""
        random = np.random.default_rng(derive_seed(self._seed, "places", epoch))
        main, helping = iter(self._order.epoch(epoch)), iter(self._passes.of(epoch))
        places = set(random.permutation(self.steps_per_epoch)[: self._passes.batches].tolist())
        return [next(helping) if step in places else next(main) for step in range(self.steps_per_epoch)]


class _Passes:
    """One data set, pass after pass, each in an order of its own.

    Args:
        config: Batch size and buckets.
        rows: Its training examples.
        lengths: About how long each example of the corpus is.
        seed: Its own.
    """

    def __init__(self, config: ExperimentConfig, rows: Rows, lengths: NDArray[np.int64], seed: int) -> None:
        self._settings, self._rows, self._lengths, self._seed = config.training, rows, lengths, seed
        self.batches = -(-len(rows) // config.training.batch_size)
        self._latest: tuple[int, list[Rows]] = (-1, [])

    def of(self, number: int) -> list[Rows]:
        """The batches of a pass, counted from 0."""
        settings = self._settings
        return epoch_order(
            self._rows, self._lengths, settings.batch_size, settings.bucket_batches, self._seed, number
        )

    def batch(self, number: int) -> Rows:
        """One batch, counted from 0 over all passes."""
        wanted, place = divmod(number, self.batches)
        if wanted != self._latest[0]:
            self._latest = (wanted, self.of(wanted))
        return self._latest[1][place]
