"""Learning rate multipliers for parts of the network."""

from pathlib import Path
from typing import Any

import pytest
import torch
from toy import toy_config, toy_network

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved import load_run
from mtl_core.training.optimizing import build_optimizer


def rates_of(config: ExperimentConfig) -> dict[str, float]:
    """Return the learning rate of each weight by its name."""
    _, network, objective = toy_network(config)
    optimizer = build_optimizer(config, network, objective)
    rate = {id(weight): group["lr"] for group in optimizer.param_groups for weight in group["params"]}
    return {name: rate[id(weight)] for name, weight in network.named_parameters()}


def test_the_longest_pattern_that_fits_says_the_rate(tmp_path: Path) -> None:
    config = toy_config(tmp_path, training={"rates": {"body.*.bias": 0.5, "body.*": 0.1}})
    for name, rate in rates_of(config).items():
        factor = 1.0 if name.startswith("groups.") else 0.5 if name.endswith(".bias") else 0.1
        assert rate == pytest.approx(0.02 * factor), name


def test_a_rate_for_everything_is_that_of_the_optimizer(tmp_path: Path) -> None:
    slow = toy_config(tmp_path, training={"rates": {"*": 0.25}, "epochs": 2})
    plain = toy_config(tmp_path, training={"epochs": 2}, optimizer={"type": "adam", "lr": 0.005})
    one, other = (run_experiment(config, tmp_path / str(i)).path for i, config in enumerate((slow, plain)))
    first, second = (load_run(path).network.state_dict() for path in (one, other))
    assert all(torch.equal(first[name], second[name]) for name in first)


def moved(folder: Path, name: str, **training: Any) -> float:
    """Return the distance of the backbone's weights from their initial values."""
    config = toy_config(folder, training={"epochs": 1, **training})
    _, start, _ = toy_network(config)
    end = load_run(run_experiment(config, folder / name).path).network.state_dict()
    return sum(
        float((end[key] - value).norm()) for key, value in start.state_dict().items() if key.startswith("body.")
    )


def test_a_slow_backbone_hardly_moves(tmp_path: Path) -> None:
    assert moved(tmp_path, "slow", rates={"body.*": 0.001}) < 0.01 * moved(tmp_path, "usual")


def test_a_pattern_that_fits_nothing_is_refused(tmp_path: Path) -> None:
    config = toy_config(tmp_path, training={"rates": {"bdy.*": 0.1}})
    with pytest.raises(MtlError, match=r"training\.rates: 'bdy\.\*' matches no trainable parameter") as caught:
        run_experiment(config, tmp_path / "run")
    assert "body." in str(caught.value)
