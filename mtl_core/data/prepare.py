"""Preparation of a run: load, split and encode the data, and fit the tasks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.task_resolution import select_active_tasks
from mtl_core.data.encoder import Encoder
from mtl_core.data.example_selection import (
    ExamplePartition,
    describe_unlabelled,
    describe_unsampled,
    describe_unused_test,
    drop_leaked_rows,
    partition_examples,
)
from mtl_core.data.experiment_data import ExperimentData, load_experiment_data
from mtl_core.data.fitted_data import FittedData, fit_data
from mtl_core.data.metadata_leaks import describe_metadata_leaks
from mtl_core.data.parsing import parse_inputs
from mtl_core.data.split_overlap import describe_overlap
from mtl_core.data.splitting import Split, split_corpus
from mtl_core.data.stage_timer import StageTimer
from mtl_core.seeding import derive_seed


@dataclass(frozen=True)
class SplitData:
    """Parsed and split examples, before the encoder and the tasks are fitted.

    Attributes:
        encoder: The encoder, not fitted yet.
        parsed: The parsed inputs.
        partition: The examples with labels, and those without.
        split: The split.
    """

    encoder: Encoder[Any, Any]
    parsed: Sequence[Any]
    partition: ExamplePartition
    split: Split


def split_data(config: ExperimentConfig, experiment_data: ExperimentData, timer: StageTimer) -> SplitData:
    """Parse the inputs and split the examples of an experiment.

    Args:
        config: The experiment.
        experiment_data: Its data.
        timer: Measures the time to `encode`, and to `load`, which includes the split.

    Raises:
        MtlError: If an input is invalid, or the examples cannot be split.
    """
    corpus = experiment_data.corpus
    with timer.measure("encode"):
        encoder = config.encoder.build()
        parsed = parse_inputs(encoder, corpus)
    with timer.measure("load"):
        partition = partition_examples(corpus, experiment_data.tasks, experiment_data.labels, encoder, parsed)
        split = split_corpus(
            corpus,
            partition.labelled,
            experiment_data.stratification_labels,
            config.split,
            derive_seed(config.seed, "split"),
        )
    return SplitData(encoder, parsed, partition, split)


def prepare(config: ExperimentConfig) -> FittedData:
    """Load, parse, split, fit and encode the data of an experiment.

    Raises:
        MtlError: If the data and the experiment do not match.
    """
    timer = StageTimer()
    with timer.measure("load"):
        experiment_data = load_experiment_data(config)
        # Validates the names before the inputs are parsed.
        select_active_tasks(experiment_data.tasks, config.active_tasks)
    corpus = experiment_data.corpus
    parts = split_data(config, experiment_data, timer)
    split = parts.split
    with timer.measure("encode"):
        if any(spec.weight > 0 for spec in config.auxiliary):
            unlabelled = parts.partition.unlabelled
            split = replace(split, auxiliary_only=drop_leaked_rows(corpus, split, config.split, unlabelled))
        data = fit_data(config, experiment_data, split, parts.encoder, parts.parsed)
    warnings = [
        *corpus.warnings,
        *experiment_data.warnings,
        *parts.partition.describe_excluded(corpus, data.split),
        *describe_unlabelled(config.active_tasks or [], data.split),
        *describe_unused_test(corpus, config.split),
        *describe_overlap(corpus, split),
        *describe_metadata_leaks(corpus, split, config.split),
        *describe_unsampled(config.loaders, corpus, data.split),
        *data.warnings,
    ]
    return replace(data, warnings=warnings, load_s=timer.seconds["load"], encode_s=timer.seconds["encode"])


def prepare_refit(config: ExperimentConfig, data: FittedData) -> FittedData:
    """Prepare the same data for the refit: validation examples become training examples."""
    split = replace(
        data.split,
        train=np.sort(np.concatenate([data.split.train, data.split.validation])),
        validation=np.zeros(0, dtype=np.int64),
    )
    # Only active tasks: the refit keeps the label mask and the inactive tasks of the first training.
    active_tasks = [task.config for task in data.tasks if task.auxiliary_spec is None]
    encoder = config.encoder.build()
    parsed = parse_inputs(encoder, data.corpus)
    refit_data = fit_data(config, replace(data.experiment_data, tasks=active_tasks), split, encoder, parsed)
    return replace(refit_data, inactive_tasks=data.inactive_tasks, load_s=data.load_s, encode_s=data.encode_s)
