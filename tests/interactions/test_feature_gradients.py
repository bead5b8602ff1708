"""Gradients with respect to the features: compared with a backward pass per task, and with losses after a step."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from related import get_matrix_entry, load_interactions, load_related_config, train_and_load_interactions
from toy import toy_config

from mtl_core.builtins.heads.modules.linear import LinearGroup
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import load_experiment
from mtl_core.data.batches import Batch
from mtl_core.data.prepare import prepare
from mtl_core.errors import MtlError
from mtl_core.nn.features import Features
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.runs.build_network import build_network
from mtl_core.runs.run import run_experiment
from mtl_core.training import gradient_sketch
from mtl_core.training.batch_sampler import build_batch_sampler
from mtl_core.training.feature_comparison import FeatureComparison
from mtl_core.training.gradient_comparison import ComparedGradients
from mtl_core.training.gradients import StepGradients
from mtl_core.training.losses import TaskLosses
from mtl_core.training.objective import Objective
from mtl_core.training.step import compute_losses

FEATURES = {"every_n_steps": 1, "gradients": "features", "affinity": True}
LR = 0.01


class Step:
    """The network, the first batch and the losses of an experiment, compared at the features."""

    def __init__(self, config: ExperimentConfig, seed: int = 0) -> None:
        data = prepare(config)
        self.network: MultiTaskNetwork = build_network(config, data.encoder, data.groups)
        self.objective = Objective(data.groups, config.weighting)
        sampler = build_batch_sampler(config, data.corpus, data.split, data.examples.lengths)
        self.batch: Batch = data.examples.build_batch(sampler.get_batches(0)[0], torch.device("cpu"))
        self.comparison = FeatureComparison(True, seed)
        self.comparison.attach(self.network, self.objective.group_sizes)
        self.features: list[torch.Tensor] = []
        self.network.trunk.register_forward_hook(lambda _, __, output: self.features.append(output[0].values))
        self.losses: TaskLosses = compute_losses(self.network, self.objective, self.batch)
        self.gradients = StepGradients(Accelerator(cpu=True), self.network, self.objective.group_sizes)

    def compare(self, step: int = 0) -> ComparedGradients:
        return self.comparison.compare(self.losses, self.gradients, lambda: self.losses, LR, step)

    def compute_expected_gradients(self) -> list[torch.Tensor]:
        """Return the gradient of each loss, by one backward pass per task."""
        return [
            torch.autograd.grad(value, self.features[0], retain_graph=True)[0].flatten(1)
            for value in self.losses.values
        ]


@pytest.mark.parametrize("head", ["linear", "classes", "dropout", "separate", "read-out"])
def test_dot_products_are_those_of_one_backward_pass_per_task(
    tmp_path: Path, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tasks = ["up", "down", "aside", "early", "late"]
    blocks: dict[str, Any] = {"head": "linear", "backbone": {"type": "mlp", "hidden_dims": [8]}}
    if head == "separate":  # tasks with other heads are other groups
        blocks["tasks"] = [
            {"name": name, "kind": "regression", "head": {"type": "linear", "dropout": index / 10}}
            for index, name in enumerate(tasks)
        ]
    elif head == "read-out":
        blocks = {"head": "read-out"}
    elif head == "classes":  # one output or three
        tasks = ["up", "up-class", "early", "aside-class", "late"]
        kinds = ["regression", "classification", "regression", "classification", "regression"]
        pairs = zip(tasks, kinds, strict=True)
        blocks["tasks"] = [{"name": name, "kind": kind, "head": "linear"} for name, kind in pairs]
    elif head == "dropout":
        blocks["head"] = {"type": "linear", "dropout": 0.2}
    if head in {"linear", "classes"}:
        monkeypatch.setattr(FeatureComparison, "_compute_rows", None)
    step = Step(load_related_config(tmp_path, *tasks, **blocks))
    compared, expected = step.compare(), step.compute_expected_gradients()
    losses, names = step.losses.values.detach(), [step.objective.names[task] for task in step.losses.tasks]
    for i, first in enumerate(expected):
        for j, second in enumerate(expected):
            is_common = bool(((first != 0).any(dim=1) & (second != 0).any(dim=1)).any())
            assert is_common == ({names[i], names[j]} != {"early", "late"})
            if not is_common:
                assert torch.isnan(compared.gram[i, j])
                assert torch.isnan(compared.affinity[i, j])
                continue
            product = float((first * second).sum())
            assert float(compared.gram[i, j]) == pytest.approx(product, rel=1e-4, abs=1e-7)
            assert float(compared.affinity[i, j]) == pytest.approx(LR * product / float(losses[j]), rel=1e-4, abs=1e-8)
    assert step.losses.values.sum().requires_grad
    torch.autograd.backward(step.losses.values.sum())  # the graph remains usable


def test_affinity_is_the_effect_of_a_step_to_first_order(tmp_path: Path) -> None:
    """After a small step of the features along the gradient of one task, the losses have changed as predicted."""
    config = load_related_config(
        tmp_path, "up", "down", "aside", head="linear", backbone={"type": "mlp", "hidden_dims": [8]}
    )
    step = Step(config)
    compared, gradients = step.compare(), step.compute_expected_gradients()
    masks = step.objective.compute_masks(step.batch)
    for i, gradient in enumerate(gradients):
        moved = step.features[0].detach() - LR * gradient
        outputs = [group(Features(moved), mask) for group, mask in zip(step.network.head_groups(), masks, strict=True)]
        after = step.objective.compute_task_losses(outputs, step.batch, masks).values.detach()
        effect = 1 - after / step.losses.values.detach()
        np.testing.assert_allclose(compared.affinity[i].numpy(), effect.numpy(), rtol=0.05, atol=2e-4)
    assert not torch.allclose(compared.affinity, compared.affinity.T)  # relative to the loss of the column's task


def test_random_projection_preserves_dot_products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_related_config(
        tmp_path, "up", "down", "aside", head="linear", backbone={"type": "mlp", "hidden_dims": [64]}
    )
    step = Step(config)
    monkeypatch.setattr(LinearGroup, "linear_weight", lambda _: None)
    exact = step.compare().gram
    monkeypatch.setattr(gradient_sketch, "SKETCH_SIZE", 64)
    first, second = step.compare(step=1).gram, step.compare(step=2).gram
    assert not torch.allclose(first, exact, rtol=1e-3)
    assert not torch.equal(first, second)
    assert torch.equal(first, step.compare(step=1).gram)
    mean = torch.stack([step.compare(step=index).gram for index in range(400)]).mean(dim=0)
    scale = torch.outer(exact.diagonal(), exact.diagonal()).sqrt()
    assert float(((mean - exact) / scale).abs().max()) < 5 / (64 * 400) ** 0.5 * 2**0.5


def test_signs_of_labels_do_not_matter_at_the_features(tmp_path: Path) -> None:
    """Opposite tasks conflict at the parameters of a trunk with fixed heads; heads of their own resolve this."""
    training = {"epochs": 12, "batch_size": 8}
    blocks: dict[str, Any] = {
        "head": "linear",
        "backbone": {"type": "mlp", "hidden_dims": [16]},
        "training": training,
        "optimizer": {"type": "adam", "lr": 0.01},
        "interactions": FEATURES,
    }
    interactions = train_and_load_interactions(tmp_path, "up", "down", "aside", **blocks)
    related = get_matrix_entry(interactions, "cosine", "up", "down")
    assert related > 0.1
    assert related > 3 * abs(get_matrix_entry(interactions, "cosine", "up", "aside"))
    assert get_matrix_entry(interactions, "affinity", "up", "down") > 0
    assert interactions["groupings"]["2"]["networks"] == [["up", "down"], ["aside"]]


def test_tasks_without_common_examples_have_no_values(tmp_path: Path) -> None:
    interactions = train_and_load_interactions(tmp_path, "early", "late", "up", head="linear", interactions=FEATURES)
    assert get_matrix_entry(interactions, "steps", "early", "late") == 0
    assert get_matrix_entry(interactions, "affinity", "early", "late") is None
    assert get_matrix_entry(interactions, "steps", "early", "up") > 20
    assert get_matrix_entry(interactions, "affinity", "early", "up") is not None


def test_features_of_texts_are_compared_in_one_run(tmp_path: Path) -> None:
    """Token features, grouped attention heads, and an auxiliary task that reads masked words."""
    settings = [
        "interactions={every_n_steps: 4, gradients: features, affinity: true}",
        "auxiliary=[{type: masked-tokens, vocab_size: 50, weight: 0.1}]",
        "split={type: random, validation: 0.8}",
        "training={epochs: 1}",
    ]
    run_experiment(load_experiment("absa-sample", settings).config, tmp_path / "run")
    interactions = load_interactions(tmp_path / "run")
    mains = range(len(interactions["tasks"]) - 1)
    assert len(mains) == 5
    assert all(interactions["norms"][task] > 0 for task in mains)
    assert interactions["norms"][5] is None  # its features are those of masked words
    assert any(interactions["affinity"][i][j] is not None for i in mains for j in mains if i != j)


def test_features_per_task_are_refused(tmp_path: Path) -> None:
    config = toy_config(tmp_path, architecture={"type": "mmoe", "experts": 2}, interactions=FEATURES)
    with pytest.raises(MtlError, match=r"^interactions.gradients: `features` .* architecture 'mmoe' has features per"):
        run_experiment(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_file_states_what_was_compared(tmp_path: Path) -> None:
    train_and_load_interactions(tmp_path, "up", "aside", head="linear", interactions=FEATURES)
    stored = json.loads((tmp_path / "run" / "interactions.json").read_text(encoding="utf-8"))
    assert stored["gradients"] == "features"
