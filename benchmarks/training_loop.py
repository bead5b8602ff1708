"""The training loop compared with a plain PyTorch loop with the same network, batches, losses and optimizer."""

from time import perf_counter

import torch
from accelerate import Accelerator
from torch.nn import functional as F  # noqa: N812

from benchmarks.shared import PIPELINE, TRAIN, require_shared
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import load_experiment
from mtl_core.runs.prepare import Prepared, build_network, prepare
from mtl_core.runs.run import SilentView
from mtl_core.training.batches import epoch_order
from mtl_core.training.loop import train
from mtl_core.training.objective import Objective
from mtl_core.training.order import training_order

ROUNDS = 5


def main() -> None:
    """Time alternating epochs of both loops and print the ratio of the medians."""
    require_shared()
    settings = [f"data.train={TRAIN}", f"encoder.pipeline={PIPELINE}", "training.epochs=1"]
    config = load_experiment("absa-restaurants", settings).config
    prepared = prepare(config)
    ours, bare = [], []
    for _ in range(ROUNDS):
        ours.append(_time_ours(config, prepared))
        bare.append(_time_bare(config, prepared))
    ratio = sorted(ours)[ROUNDS // 2] / sorted(bare)[ROUNDS // 2]
    print(f"one epoch: mtl_core {min(ours):.2f} s, plain loop {min(bare):.2f} s; ratio of medians {ratio:.3f}")


def _time_ours(config: ExperimentConfig, prepared: Prepared) -> float:
    network = build_network(config, prepared.encoder, prepared.groups)
    objective = Objective(prepared.groups, config.weighting)
    start = perf_counter()
    train(
        config,
        network,
        objective,
        prepared.examples,
        training_order(config, prepared.corpus, prepared.split, prepared.examples.lengths),
        1,
        Accelerator(),
        None,
        None,
        SilentView(),
    )
    return perf_counter() - start


def _time_bare(config: ExperimentConfig, prepared: Prepared) -> float:
    """Time a hand-written loop for this network, over batches and tasks, with labels masked by index."""
    network = build_network(config, prepared.encoder, prepared.groups)
    optimizer = config.optimizer.build(p for p in network.parameters() if p.requires_grad)
    examples, settings = prepared.examples, config.training
    order = epoch_order(
        prepared.split.train, examples.lengths, settings.batch_size, settings.bucket_batches, config.seed, 0
    )
    network.train()
    start = perf_counter()
    for rows in order:
        batch = examples.batch(rows, torch.device("cpu"))
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
        if settings.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip_norm)
        optimizer.step()
        total.item()
    return perf_counter() - start
