"""The training loop compared with a plain PyTorch loop with the same network, batches, losses and optimizer."""

from time import perf_counter

import torch
from accelerate import Accelerator
from torch.nn import functional as F  # noqa: N812

from benchmarks.local_data import PIPELINE, TRAIN, require_shared
from benchmarks.measurement import format_seconds
from benchmarks.reference import measure_reference
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import load_experiment
from mtl_core.data.batches import build_epoch_batches
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.prepare import prepare
from mtl_core.runs.build_network import build_network
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.callback import NullCallback
from mtl_core.training.loop import train
from mtl_core.training.objective import Objective

ROUNDS = 5


def main() -> None:
    """Time alternating epochs of both loops and print the ratio of the medians."""
    require_shared()
    reference = measure_reference()
    settings = [f"data.train={TRAIN}", f"encoder.pipeline={PIPELINE}", "training.epochs=1"]
    config = load_experiment("absa-restaurants", settings).config
    prepared = prepare(config)
    core_times, plain_times = [], []
    for _ in range(ROUNDS):
        core_times.append(_time_core(config, prepared))
        plain_times.append(_time_plain(config, prepared))
    ratio = sorted(core_times)[ROUNDS // 2] / sorted(plain_times)[ROUNDS // 2]
    core, plain = (format_seconds(min(times), reference) for times in (core_times, plain_times))
    print(f"one epoch: mtl_core {core}, plain loop {plain}; ratio of medians {ratio:.3f}")


def _time_core(config: ExperimentConfig, prepared: FittedData) -> float:
    network = build_network(config, prepared.encoder, prepared.groups)
    objective = Objective(prepared.groups, config.weighting)
    start = perf_counter()
    train(
        config,
        network,
        objective,
        prepared.examples,
        build_batch_sampler(config, prepared.corpus, prepared.split, prepared.examples.lengths),
        1,
        Accelerator(),
        None,
        None,
        NullCallback(),
    )
    return perf_counter() - start


def _time_plain(config: ExperimentConfig, prepared: FittedData) -> float:
    """Time a hand-written loop for this network, over batches and tasks, with labels masked by index."""
    network = build_network(config, prepared.encoder, prepared.groups)
    optimizer = config.optimizer.build(p for p in network.parameters() if p.requires_grad)
    examples, settings = prepared.examples, config.training
    order = build_epoch_batches(
        prepared.split.train, examples.lengths, settings.batch_size, settings.length_buckets, config.seed, 0
    )
    network.train()
    start = perf_counter()
    for rows in order:
        batch = examples.build_batch(rows, torch.device("cpu"))
        optimizer.zero_grad()
        (output,) = network(batch.inputs)
        (targets,) = batch.targets
        total, labels = torch.zeros(()), 0
        for task in range(targets.shape[1]):
            valid = (targets[:, task] >= 0) & (targets[:, task] < output.outputs.shape[2])
            if valid.any():
                total = total + F.cross_entropy(output.outputs[valid, task], targets[valid, task], reduction="sum")
                labels += int(valid.sum())
        (total / labels).backward()  # type: ignore[no-untyped-call]
        if settings.max_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.max_grad_norm)
        optimizer.step()
        total.item()
    return perf_counter() - start
