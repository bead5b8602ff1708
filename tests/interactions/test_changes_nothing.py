"""Observing interactions changes no weight, random number or running mean, and the observation can be resumed."""

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pytest
import torch
import toy
from accelerate import Accelerator
from related import load_interactions, load_related_config
from test_training import Interrupt, InterruptAfter, read_results
from toy import tensor_bits, toy_config, toy_network

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import load_experiment
from mtl_core.config.training import InteractionConfig
from mtl_core.data.prepare import prepare
from mtl_core.runs.build_network import build_network
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.callback import NullCallback
from mtl_core.training.gradients import StepGradients
from mtl_core.training.gram_matrix import compute_gram_matrix
from mtl_core.training.losses import TaskLosses
from mtl_core.training.non_finite import NonFiniteLossError
from mtl_core.training.objective import Objective
from mtl_core.training.step import training_step
from mtl_core.training.virtual_step import VirtualStep

NOISY = {"type": "one-layer", "noisy": True}


def load_short_experiment(name: str, *settings: str) -> ExperimentConfig:
    short_settings = ["split={type: random, validation: 0.8}", "training.epochs=1", "training.refit=false"]
    return load_experiment(name, [*short_settings, *settings]).config


CONFIGS: dict[str, Callable[[Path], ExperimentConfig]] = {
    "dropout": toy_config,
    "grouped heads": lambda folder: toy_config(folder, tasks=[toy.task_block("toy-grouped")]),
    "momentum and weight decay": lambda folder: toy_config(
        folder, optimizer={"type": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}
    ),
    "balanced gradients": lambda folder: toy_config(folder, weighting={"type": "gradnorm"}),
    "half precision": lambda folder: toy_config(folder, training={"epochs": 2, "batch_size": 8, "precision": "bf16"}),
    "batch normalisation": lambda folder: load_related_config(folder, "up", "aside", "down", backbone=NOISY),
    "mixture of experts": lambda folder: toy_config(folder, architecture={"type": "mmoe", "experts": 2}),
    "texts": lambda folder: load_short_experiment("absa-sample"),
    "an auxiliary task that masks words": lambda folder: load_short_experiment(
        "auxiliary-sample",
        "auxiliary=[{type: masked-tokens, vocab_size: 50, weight: 0.1}]",
        "encoder.dimensions=8",
        "backbone.hidden_dim=8",
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_observing_does_not_change_training(tmp_path: Path, name: str) -> None:
    config = CONFIGS[name](tmp_path)
    results_of_all = []
    settings = [None, InteractionConfig(every_n_steps=2, affinity=True)]
    if not config.architecture.task_specific_features:
        settings.append(InteractionConfig(every_n_steps=2, affinity=True, gradients="features"))
    for interactions in settings:
        run_dir = tmp_path / ("plain" if interactions is None else interactions.gradients)
        variant = config.model_copy(update={"interactions": interactions})
        run_experiment(variant, run_dir, NullCallback())
        run_results = read_results(run_dir)
        del run_results["config.yaml"]
        metrics = json.loads(run_results["metrics.json"])
        for costs in metrics.get("auxiliary", {}).values():
            del costs["step_ms"], costs["without_ms"], costs["measurable"]
        results_of_all.append({**run_results, "metrics.json": metrics})
        if interactions is not None:
            observations = load_interactions(run_dir)
            assert any(value for row in observations["affinity"] for value in row if value is not None)
    assert all(results == results_of_all[0] for results in results_of_all[1:])


# ── recomputed losses and virtual steps ──


class RecomputingObserver:
    """An observer that recomputes the losses of each step and stores them."""

    def __init__(self) -> None:
        self.losses: list[list[torch.Tensor]] = []

    def before_step(
        self, losses: TaskLosses, gradients: StepGradients, recompute_losses: Callable[[], TaskLosses]
    ) -> None:
        torch.rand(3)  # random numbers drawn in between
        self.losses.append([losses.values.detach(), recompute_losses().values, recompute_losses().values])


@pytest.mark.parametrize("name", ["dropout", "batch normalisation", "texts"])
def test_recomputed_losses_are_bit_identical(tmp_path: Path, name: str) -> None:
    """Dropout masks and kernels are the same, so that the optimizer step is the only cause of a difference."""
    config = CONFIGS[name](tmp_path)
    prepared = prepare(config)
    network = build_network(config, prepared.encoder, prepared.groups).train()
    objective = Objective(prepared.groups, config.weighting)
    optimizer = config.optimizer.build(network.parameters())
    gradients = StepGradients(Accelerator(), network, objective.group_sizes)
    observer = RecomputingObserver()
    torch.manual_seed(0)
    for rows in build_batch_sampler(config, prepared.corpus, prepared.split, prepared.examples.lengths).get_batches(0)[
        :3
    ]:
        batch = prepared.examples.build_batch(rows, torch.device("cpu"))
        before = tensor_bits(dict(network.state_dict()))
        training_step(gradients, network, objective, optimizer, batch, None, observer)
        assert tensor_bits(dict(network.state_dict())) != before
    assert len(observer.losses) == 3
    for first, second, third in observer.losses:
        assert torch.equal(first, second)
        assert torch.equal(first, third)


def build_gradients(folder: Path) -> tuple[StepGradients, torch.Tensor, Callable[[], TaskLosses]]:
    """Return gradients of a toy network, the losses of its training examples, and a function to recompute them."""
    prepared, network, objective = toy_network(toy_config(folder, backbone={"type": "mlp", "hidden_dims": [8]}))
    batch = prepared.examples.build_batch(prepared.split.train, torch.device("cpu"))

    def losses() -> TaskLosses:
        masks = objective.compute_masks(batch)
        return objective.compute_task_losses(network(batch.inputs, masks), batch, masks)

    return StepGradients(Accelerator(), network, objective.group_sizes), losses().values, losses


def test_virtual_step_restores_weights_exactly_even_if_it_fails(tmp_path: Path) -> None:
    gradients, values, recompute_losses = build_gradients(tmp_path)
    gradient = gradients.jacobian(values, gradients.shared)[0]
    weights_before = [parameter.detach().clone() for parameter in gradients.shared]
    moved_weights = []

    def raise_not_finite() -> TaskLosses:
        moved_weights.append([parameter.detach().clone() for parameter in gradients.shared])
        raise NonFiniteLossError("t0", [])

    assert VirtualStep(gradients.shared, 0.3, raise_not_finite).compute_losses_after_step(gradient) is None
    losses_after = VirtualStep(gradients.shared, 0.3, recompute_losses).compute_losses_after_step(gradient)
    assert losses_after is not None
    assert losses_after[0] < values[0]
    for weight_before, moved_weight, weight_now in zip(weights_before, moved_weights[0], gradients.shared, strict=True):
        assert not torch.equal(weight_before, moved_weight)
        assert torch.equal(weight_before, weight_now)
    torch.autograd.grad(values.sum(), gradients.shared)  # the graph is still usable


@pytest.mark.parametrize("n_stored_gradients", [0, 1, 2])
def test_gram_matrix_does_not_need_all_gradients_at_once(tmp_path: Path, n_stored_gradients: int) -> None:
    gradients, values, _ = build_gradients(tmp_path)
    jacobian = gradients.jacobian(values, gradients.shared)
    streamed_rows: list[tuple[int, torch.Tensor]] = []
    gram_products = compute_gram_matrix(
        values,
        gradients,
        lambda index, row: streamed_rows.append((index, row)),
        n_stored_gradients * jacobian.shape[1],
    )
    torch.testing.assert_close(gram_products, jacobian @ jacobian.T)
    assert [index for index, _ in streamed_rows] == list(range(len(values)))
    for index, row in streamed_rows:
        assert torch.equal(row, jacobian[index])


# ── resume, timing ──


def test_resumed_run_has_the_same_interactions(tmp_path: Path) -> None:
    config = load_related_config(
        tmp_path,
        *("up", "aside", "down"),
        backbone=NOISY,
        training={"epochs": 2, "batch_size": 16, "checkpoint_steps": 1, "refit": True},
        interactions={"every_n_steps": 2, "affinity": True},
    )
    run_experiment(config, tmp_path / "whole", NullCallback())
    expected = (tmp_path / "whole" / "interactions.json").read_bytes()
    for n_events in (2, 3, 6, 8, 13):
        path = tmp_path / f"cut-{n_events}"
        with pytest.raises(Interrupt):
            run_experiment(config, path, InterruptAfter(n_events))
        resume_run(path)
        assert (path / "interactions.json").read_bytes() == expected, f"cut off at event {n_events}"
        assert read_results(path) == read_results(tmp_path / "whole")


def test_interaction_time_is_reported_separately(tmp_path: Path) -> None:
    config = load_related_config(tmp_path, "up", "aside", "down")
    start = perf_counter()
    report = run_experiment(config, tmp_path / "run", NullCallback())
    total_seconds = perf_counter() - start
    timing = json.loads((tmp_path / "run" / "metrics.json").read_text())["timing"]
    assert timing["interactions_s"] == report.timing.interactions_s > 0
    assert timing["train_s"] > 0
    assert timing["train_s"] + timing["interactions_s"] < total_seconds
    n_examples = timing["train_examples_per_s"] * timing["train_s"]
    assert n_examples == pytest.approx(3 * 72)
