"""Observing interactions changes no weight, random number or running mean, and the observation can be resumed."""

import json
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import pytest
import torch
import toy
from accelerate import Accelerator
from related import found_in, related_config
from test_training import Interrupt, InterruptAfter, results
from toy import tensor_bits, toy_config, toy_network

from mtl_core.config.experiment import ExperimentConfig, Interactions
from mtl_core.config.load import load_experiment
from mtl_core.runs.prepare import build_network, prepare
from mtl_core.runs.run import SilentView, resume_run, run_experiment
from mtl_core.training.gradients import StepGradients
from mtl_core.training.interactions import gram_matrix
from mtl_core.training.lookahead import Lookahead
from mtl_core.training.losses import TaskLosses
from mtl_core.training.not_finite import NotFiniteError
from mtl_core.training.objective import Objective
from mtl_core.training.order import training_order
from mtl_core.training.step import training_step

NOISY = {"type": "one-layer", "noisy": True}


def packaged(name: str, *settings: str) -> ExperimentConfig:
    few = ["split={type: random, validation: 0.8}", "training.epochs=1", "training.refit=false"]
    return load_experiment(name, [*few, *settings]).config


CONFIGS: dict[str, Callable[[Path], ExperimentConfig]] = {
    "dropout": toy_config,
    "grouped heads": lambda folder: toy_config(folder, tasks=[toy.task_block("toy-grouped")]),
    "momentum and weight decay": lambda folder: toy_config(
        folder, optimizer={"type": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}
    ),
    "balanced gradients": lambda folder: toy_config(folder, weighting={"type": "gradnorm"}),
    "half precision": lambda folder: toy_config(
        folder, training={"epochs": 2, "batch_size": 8, "precision": "bf16"}
    ),
    "batch normalisation": lambda folder: related_config(folder, "up", "aside", "down", backbone=NOISY),
    "mixture of experts": lambda folder: toy_config(folder, architecture={"type": "mmoe", "experts": 2}),
    "texts": lambda folder: packaged("absa-sample"),
    "an auxiliary task that masks words": lambda folder: packaged(
        "auxiliary-sample",
        "auxiliary=[{type: masked-tokens, top: 50, weight: 0.1}]",
        "encoder.dimensions=8",
        "backbone.hidden_dim=8",
    ),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_with_and_without_are_one_training(tmp_path: Path, name: str) -> None:
    config = CONFIGS[name](tmp_path)
    found = []
    for interactions in (None, Interactions(every=2, affinity=True)):
        path = tmp_path / ("plain" if interactions is None else "watched")
        value = config.model_copy(update={"interactions": interactions})
        run_experiment(value, path, SilentView())
        told = results(path)
        del told["config.yaml"]
        metrics = json.loads(told["metrics.json"])
        for cost in metrics.get("auxiliary", {}).values():
            del cost["step_ms"], cost["without_ms"], cost["measurable"]
        found.append({**told, "metrics.json": metrics})
    assert found[0] == found[1]
    seen = found_in(tmp_path / "watched")
    assert any(value for row in seen["affinity"] for value in row if value is not None)


# ── recomputed losses and virtual steps ──


class Repeats:
    """An observer that recomputes the losses of each step and stores them."""

    def __init__(self) -> None:
        self.losses: list[list[torch.Tensor]] = []

    def before_step(self, losses: TaskLosses, gradients: StepGradients, again: Callable[[], TaskLosses]) -> None:
        torch.rand(3)  # random numbers drawn in between
        self.losses.append([losses.values.detach(), again().values, again().values])


@pytest.mark.parametrize("name", ["dropout", "batch normalisation", "texts"])
def test_what_is_computed_again_is_the_same_to_the_bit(tmp_path: Path, name: str) -> None:
    """Dropout masks and kernels are the same, so that the optimizer step is the only cause of a difference."""
    config = CONFIGS[name](tmp_path)
    prepared = prepare(config)
    network = build_network(config, prepared.encoder, prepared.groups).train()
    objective = Objective(prepared.groups, config.weighting)
    optimizer = config.optimizer.build(network.parameters())
    gradients = StepGradients(Accelerator(), network, objective.sizes)
    observer = Repeats()
    torch.manual_seed(0)
    for rows in training_order(config, prepared.corpus, prepared.split, prepared.examples.lengths).epoch(0)[:3]:
        batch = prepared.examples.batch(rows, torch.device("cpu"))
        before = tensor_bits(dict(network.state_dict()))
        training_step(gradients, network, objective, optimizer, batch, None, observer)
        assert tensor_bits(dict(network.state_dict())) != before
    assert len(observer.losses) == 3
    for first, second, third in observer.losses:
        assert torch.equal(first, second)
        assert torch.equal(first, third)


def bench(folder: Path) -> tuple[StepGradients, torch.Tensor, Callable[[], TaskLosses]]:
    """Return gradients of a toy network, the losses of its training examples, and a function to recompute them."""
    prepared, network, objective = toy_network(toy_config(folder, backbone={"type": "mlp", "hidden_dims": [8]}))
    batch = prepared.examples.batch(prepared.split.train, torch.device("cpu"))

    def losses() -> TaskLosses:
        masks = objective.masks(batch)
        return objective.task_losses(network(batch.inputs, masks), batch, masks)

    return StepGradients(Accelerator(), network, objective.sizes), losses().values, losses


def test_weights_are_put_back_to_the_bit_even_if_a_step_leads_nowhere(tmp_path: Path) -> None:
    gradients, values, again = bench(tmp_path)
    gradient = gradients.of_each(values, gradients.shared)[0]
    before = [parameter.detach().clone() for parameter in gradients.shared]
    seen = []

    def fails() -> TaskLosses:
        seen.append([parameter.detach().clone() for parameter in gradients.shared])
        raise NotFiniteError("t0", [])

    assert Lookahead(gradients.shared, 0.3, fails).losses_after(gradient) is None
    after = Lookahead(gradients.shared, 0.3, again).losses_after(gradient)
    assert after is not None
    assert after[0] < values[0]
    for kept, moved, now in zip(before, seen[0], gradients.shared, strict=True):
        assert not torch.equal(kept, moved)
        assert torch.equal(kept, now)
    torch.autograd.grad(values.sum(), gradients.shared)  # the graph is still usable


@pytest.mark.parametrize("held", [0, 1, 2])
def test_products_of_gradients_do_not_need_all_of_them_at_once(tmp_path: Path, held: int) -> None:
    gradients, values, _ = bench(tmp_path)
    whole = gradients.of_each(values, gradients.shared)
    seen: list[tuple[int, torch.Tensor]] = []
    gram = gram_matrix(values, gradients, lambda place, row: seen.append((place, row)), held * whole.shape[1])
    torch.testing.assert_close(gram, whole @ whole.T)
    assert [place for place, _ in seen] == list(range(len(values)))
    for place, row in seen:
        assert torch.equal(row, whole[place])


# ── resume, timing ──


def test_a_run_that_was_cut_off_has_seen_the_same(tmp_path: Path) -> None:
    config = related_config(
        tmp_path,
        *("up", "aside", "down"),
        backbone=NOISY,
        training={"epochs": 2, "batch_size": 16, "checkpoint_steps": 1, "refit": True},
        interactions={"every": 2, "affinity": True},
    )
    run_experiment(config, tmp_path / "whole", SilentView())
    expected = (tmp_path / "whole" / "interactions.json").read_bytes()
    for events in (2, 3, 6, 8, 13):
        path = tmp_path / f"cut-{events}"
        with pytest.raises(Interrupt):
            run_experiment(config, path, InterruptAfter(events))
        resume_run(path)
        assert (path / "interactions.json").read_bytes() == expected, f"cut off at event {events}"
        assert results(path) == results(tmp_path / "whole")


def test_the_time_it_takes_is_told_apart(tmp_path: Path) -> None:
    config = related_config(tmp_path, "up", "aside", "down")
    start = perf_counter()
    report = run_experiment(config, tmp_path / "run", SilentView())
    whole = perf_counter() - start
    timing = json.loads((tmp_path / "run" / "metrics.json").read_text())["timing"]
    assert timing["interactions_s"] == report.timing.interactions_s > 0
    assert timing["train_s"] > 0
    assert timing["train_s"] + timing["interactions_s"] < whole
    visited = timing["train_examples_per_s"] * timing["train_s"]
    assert visited == pytest.approx(3 * 72)
