"""Learning rate multipliers for parts of the network."""

from pathlib import Path
from typing import Any

import pytest
import torch
from toy import toy_config, toy_network

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_run import load_run
from mtl_core.training.optimizer import build_optimizer


def get_learning_rates(config: ExperimentConfig) -> dict[str, float]:
    """Return the learning rate of each weight by its name."""
    _, network, objective = toy_network(config)
    optimizer = build_optimizer(config, network, objective)
    lr_by_id = {id(weight): group["lr"] for group in optimizer.param_groups for weight in group["params"]}
    return {name: lr_by_id[id(weight)] for name, weight in network.named_parameters()}


def test_longest_matching_pattern_sets_the_learning_rate(tmp_path: Path) -> None:
    config = toy_config(tmp_path, training={"lr_multipliers": {"trunk.*.bias": 0.5, "trunk.*": 0.1}})
    for name, lr in get_learning_rates(config).items():
        factor = 1.0 if name.startswith("groups.") else 0.5 if name.endswith(".bias") else 0.1
        assert lr == pytest.approx(0.02 * factor), name


def test_pattern_length_decides_not_its_alphabetical_order(tmp_path: Path) -> None:
    patterns = {"*.weight": 0.5, "trunk.*": 0.1}  # "trunk.*" is shorter, but later in the alphabet
    for name, lr in get_learning_rates(toy_config(tmp_path, training={"lr_multipliers": patterns})).items():
        factor = 0.5 if name.endswith(".weight") else 0.1 if name.startswith("trunk.") else 1.0
        assert lr == pytest.approx(0.02 * factor), name


def test_first_group_has_the_configured_learning_rate(tmp_path: Path) -> None:
    """The learning rate of the first group is the one in the history, whichever parameters come first."""
    config = toy_config(tmp_path, training={"lr_multipliers": {"trunk.*": 0.1}})
    _, network, objective = toy_network(config)
    assert [group["lr"] for group in build_optimizer(config, network, objective).param_groups] == pytest.approx(
        [0.02, 0.002]
    )


def test_multiplier_of_all_parameters_scales_the_optimizer_lr(tmp_path: Path) -> None:
    scaled_config = toy_config(tmp_path, training={"lr_multipliers": {"*": 0.25}, "epochs": 2})
    plain_config = toy_config(tmp_path, training={"epochs": 2}, optimizer={"type": "adam", "lr": 0.005})
    scaled_run, plain_run = (
        run_experiment(config, tmp_path / str(i)).path for i, config in enumerate((scaled_config, plain_config))
    )
    first, second = (load_run(path).network.state_dict() for path in (scaled_run, plain_run))
    assert all(torch.equal(first[name], second[name]) for name in first)


def compute_backbone_distance(folder: Path, name: str, **training: Any) -> float:
    """Return the distance of the backbone's weights from their initial values."""
    config = toy_config(folder, training={"epochs": 1, **training})
    _, start, _ = toy_network(config)
    end = load_run(run_experiment(config, folder / name).path).network.state_dict()
    return sum(
        float((end[key] - value).norm()) for key, value in start.state_dict().items() if key.startswith("trunk.")
    )


def test_small_multiplier_reduces_backbone_updates(tmp_path: Path) -> None:
    assert compute_backbone_distance(
        tmp_path, "slow", lr_multipliers={"trunk.*": 0.001}
    ) < 0.01 * compute_backbone_distance(tmp_path, "usual")


def test_pattern_without_match_is_refused(tmp_path: Path) -> None:
    config = toy_config(tmp_path, training={"lr_multipliers": {"trnk.*": 0.1}})
    with pytest.raises(
        MtlError, match=r"training\.lr_multipliers: 'trnk\.\*' matches no trainable parameter"
    ) as excinfo:
        run_experiment(config, tmp_path / "run")
    assert "(parameters: trunk.backbone.layers.*, groups.0.weight, groups.0.bias)" in str(excinfo.value)
