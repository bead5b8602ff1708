"""Networks that are trained at once equal those of separate runs."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from many_tasks import write_many_tasks
from safetensors.torch import load_file

from mtl_core.artifacts.network_files import get_networks_file
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.load import load_experiment
from mtl_core.data.prepare import prepare
from mtl_core.errors import MtlError
from mtl_core.plugins.active_registry import use_registry
from mtl_core.runs.batched_networks.build import build_stacked_networks
from mtl_core.runs.batched_networks.probe import probe_networks
from mtl_core.runs.batched_networks.run import run_networks
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_outputs import TaskOutputs, read_outputs
from mtl_core.training.batched_networks.dropout_masks import DropoutMasks, DropoutSite
from mtl_core.training.batched_networks.stacked_networks import StackedNetworks
from mtl_core.training.callback import NullCallback

pytestmark = pytest.mark.usefixtures("placeholder_reports")

N_TASKS = 6
EARLY_STOPPING = {"epochs": 6, "batch_size": 16, "patience": 2, "max_grad_norm": 0.5}
CASES: dict[str, dict[str, Any]] = {
    "adam, dropout, early stopping": {"training": EARLY_STOPPING},
    "sparse inputs, label weights": {
        "data": {"type": "many-tasks", "width": 20, "sparse": True, "weighted": True},
        "encoder": {"type": "sparse", "width": 8, "dropout": 0.3},
        "backbone": "identity",
        "tasks": [
            {
                "each": "*",
                "kind": {"type": "binary", "classes": ["0", "1"], "class_weights": "balanced"},
                "head": {"type": "linear", "dropout": 0.2},
            }
        ],
        "optimizer": {"type": "adamw", "lr": 0.02, "weight_decay": 0.1},
        "schedule": {"type": "linear", "warmup": 0.2},
        "training": EARLY_STOPPING,
    },
    "sgd without validation data, two layers": {
        "split": {"type": "random", "validation": 0.0},
        "backbone": {"type": "mlp", "hidden_dims": [8, 4], "dropout": 0.3},
        "optimizer": {"type": "sgd", "lr": 0.05, "weight_decay": 0.01},
        "training": {"epochs": 2, "batch_size": 16},
    },
}


@pytest.fixture(scope="module", params=CASES)
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """The directory of six networks that are trained at once, and those of six separate runs."""
    folder = tmp_path_factory.mktemp("networks")
    path = write_many_tasks(folder, **CASES[request.param])
    experiment = load_experiment(path)
    with use_registry(experiment.registry):
        run_networks(experiment.config, folder / "batched")
        for task in range(N_TASKS):
            run_experiment(load_experiment(path, overrides=[f"active_tasks=[t{task}]"]).config, folder / f"t{task}")
    return folder / "batched", [folder / f"t{task}" for task in range(N_TASKS)]


def read_metrics(path: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
    return metrics


def test_weights_equal_those_of_separate_runs(runs: tuple[Path, list[Path]]) -> None:
    batched, separate = runs
    stacked = load_file(get_networks_file(RunDirectory(batched)))
    for task, path in enumerate(separate):
        for name, weight in load_file(RunDirectory(path).weights).items():
            actual = stacked[f"networks.{name}"][task] if f"networks.{name}" in stacked else stacked[name]
            assert torch.allclose(actual, weight, rtol=0, atol=1e-5), (task, name)


def test_epochs_and_scores_equal_those_of_separate_runs(runs: tuple[Path, list[Path]]) -> None:
    batched, separate = runs
    metrics = read_metrics(batched)
    best_epochs, n_epochs = set(), set()
    for task, path in enumerate(separate):
        expected = read_metrics(path)
        network = metrics["model"]["networks"][f"t{task}"]
        best_epochs.add(network["best_epoch"])
        n_epochs.add(network["epochs"])
        assert network["best_epoch"] == expected["model"]["best_epoch"]
        assert network["best_score"] == pytest.approx(expected["model"]["best_score"], abs=1e-5)
        assert network["parameters"] == expected["model"]["parameters"]
        for split, scores in expected["splits"].items():
            for name, value in scores["tasks"][f"t{task}"].items():
                actual = metrics["splits"][split]["tasks"][f"t{task}"][name]
                assert actual == (value if isinstance(value, list) else pytest.approx(value, abs=1e-5))
        assert _read_losses(batched, f"t{task}") == pytest.approx(_read_losses(path, None), abs=1e-5)
    if "validation" in metrics["splits"]:
        assert len(best_epochs) > 1, "the case does not test that each network has its actual best epoch"
        assert len(n_epochs) > 1, "the case does not test that each network has its actual early stopping"


def _read_losses(path: Path, task: str | None) -> list[float]:
    with (path / "history.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if task is not None:
        return [float(row["loss"]) for row in rows if row["task"] == task]
    return [float(value) for row in rows for name, value in row.items() if name.endswith(".loss") and value]


def test_outputs_equal_those_of_separate_runs(runs: tuple[Path, list[Path]]) -> None:
    batched, separate = runs
    split, outputs = read_outputs(RunDirectory(batched))
    sizes = set()
    for task, path in enumerate(separate):
        expected_split, expected = read_outputs(RunDirectory(path))
        assert split == expected_split
        actual, other = outputs[f"t{task}"], expected[f"t{task}"]
        assert isinstance(actual, TaskOutputs)
        assert isinstance(other, TaskOutputs)
        assert torch.equal(actual.examples, other.examples)
        assert torch.equal(actual.targets, other.targets)
        assert torch.allclose(actual.outputs, other.outputs, rtol=0, atol=1e-5)
        sizes.add(len(other.examples))
    assert len(sizes) > 2, "the case does not test different numbers of labels"


def test_networks_differ_from_each_other(runs: tuple[Path, list[Path]]) -> None:
    stacked = load_file(get_networks_file(RunDirectory(runs[0])))
    weight = stacked["networks.groups.0.weight"]
    assert all(not torch.allclose(weight[0], weight[task], atol=1e-4) for task in range(1, N_TASKS))


def test_dropout_masks_are_those_of_the_global_generator() -> None:
    sites = [DropoutSite("first", 0.3, 5), DropoutSite("all", 1.0, 2), DropoutSite("second", 0.5, 4)]
    masks = DropoutMasks(sites)
    n_rows: list[dict[int, int]] = [{0: 3, 1: 3, 2: 7}, {0: 2, 2: 7}, {0: 3, 1: 3, 2: 7}]
    for seed in (1, 2):  # two epochs
        masks.start_epoch(seed)
        steps = [masks.draw(rows) for rows in n_rows]
        for network in range(3):
            torch.manual_seed(seed)
            for rows, mask_groups in zip(n_rows, steps, strict=True):
                if network not in rows:
                    continue
                (actual,) = [tables for networks, tables in mask_groups if network in networks]
                for site, mask in zip(sites, actual, strict=True):
                    values = torch.ones(rows[network], site.width)
                    assert torch.equal(mask, torch.nn.functional.dropout(values, site.p))


def test_networks_that_cannot_be_stacked_are_refused(tmp_path: Path) -> None:
    path = write_many_tasks(
        tmp_path,
        data={"type": "many-tasks", "sparse": True},
        encoder={"type": "columns", "columns": {"text": "category"}},
    )
    experiment = load_experiment(path)
    network = torch.nn.Linear(2, 2)
    with pytest.raises(AttributeError):
        StackedNetworks(network, 2)  # type: ignore[arg-type]  # not a network of this project
    with use_registry(experiment.registry), pytest.raises(MtlError):
        build_stacked_networks(experiment.config, prepare(experiment.config), torch.device("cpu"))


def test_a_loss_that_is_not_finite_names_task_and_examples(tmp_path: Path) -> None:
    path = write_many_tasks(tmp_path, optimizer={"type": "sgd", "lr": 1e30})
    experiment = load_experiment(path)
    with use_registry(experiment.registry), pytest.raises(MtlError) as batched:
        run_networks(experiment.config, tmp_path / "batched")
    task = str(batched.value).split("task '")[1].split("'")[0]
    single = load_experiment(path, overrides=[f"active_tasks=[{task}]"])
    with use_registry(single.registry), pytest.raises(MtlError) as separate:
        run_experiment(single.config, tmp_path / "separate")
    assert str(batched.value).split(";")[0] == str(separate.value).split(";")[0]
    assert not (tmp_path / "batched" / "metrics.json").exists()


def test_an_interrupted_run_is_trained_again(tmp_path: Path) -> None:
    experiment = load_experiment(write_many_tasks(tmp_path, training={"epochs": 1, "batch_size": 16}))
    with use_registry(experiment.registry):
        run_networks(experiment.config, tmp_path / "run")
        before = load_file(get_networks_file(RunDirectory(tmp_path / "run")))
        (tmp_path / "run" / "metrics.json").unlink()
        get_networks_file(RunDirectory(tmp_path / "run")).unlink()
        run_networks(experiment.config, tmp_path / "run")
    after = load_file(get_networks_file(RunDirectory(tmp_path / "run")))
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_an_interrupted_run_is_not_resumed_as_one_network(tmp_path: Path, mtl: Any) -> None:
    class Interruption(NullCallback):
        def on_epoch_start(self, *_: object) -> None:
            raise KeyboardInterrupt

    experiment = load_experiment(write_many_tasks(tmp_path, training={"epochs": 1, "batch_size": 16}))
    run = tmp_path / "run"
    with use_registry(experiment.registry), pytest.raises(KeyboardInterrupt):
        run_networks(experiment.config, run, callback=Interruption())
    files = sorted(run.iterdir())
    for command in (["resume", run], ["predict", run, "text"]):
        result = mtl(*command)
        assert result.returncode == 2
        assert result.stderr.strip() == (
            f"error: {run}: the training of independent networks for a comparison was interrupted; repeat its command "
            "with the same --out to continue it"
        )
    assert sorted(run.iterdir()) == files


def test_probe_measures_steps_and_validation(tmp_path: Path) -> None:
    """Without validation data, validation costs nothing."""
    costs = {}
    for name, blocks in {
        "validation": {"split": {"type": "random", "validation": 0.25}},
        "no validation": {"split": {"type": "random", "validation": 0.0}},
    }.items():
        config = load_experiment(write_many_tasks(tmp_path, **blocks)).config
        costs[name] = probe_networks(config, prepare(config))
    assert costs["validation"].validation_s > 0
    assert costs["no validation"].validation_s == 0
    assert all(one.step_s > 0 for one in costs.values())
