"""Gradient aggregation in complete runs. Runs in two processes are tested in tests/core."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from test_training import Interrupt, InterruptAfter, read_results
from toy import toy_config, write_experiment

from mtl_core.errors import MtlError
from mtl_core.runs.run import resume_run, run_experiment

pytestmark = pytest.mark.usefixtures("placeholder_reports")

Mtl = Callable[..., CompletedProcess[str]]
Block = dict[str, Any]
SPARSE: Block = {"type": "toy", "rows": 40, "labelled": 0.3}
SHORT = ("--set", "training.epochs=2", "--set", "training.refit=false")


def train_run(folder: Path, name: str, **blocks: Any) -> Path:
    run_experiment(toy_config(folder, **blocks), folder / name)
    return folder / name


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    return load_file(path / "model.safetensors")


def test_gradient_sum_equals_loss_sum_and_mean_changes_shared_parameters_less(tmp_path: Path) -> None:
    blocks: Block = {"optimizer": {"type": "sgd", "lr": 0.1}, "data": {"type": "toy", "labelled": 0.7}}
    loss_sum, gradient_sum, mean = (
        load_weights(train_run(tmp_path, name, weighting=name, **blocks))
        for name in ("sum", "gradient-sum", "gradient-mean")
    )
    for key, value in loss_sum.items():
        torch.testing.assert_close(gradient_sum[key], value, rtol=1e-4, atol=1e-6)
    assert not all(torch.allclose(mean[key], value, atol=1e-3) for key, value in loss_sum.items())


def test_packaged_experiment_learns_and_reports_gradient_weights(tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "run"
    result = mtl("run", "topic-sentiment", "--set", "weighting={type: upgrad, preferences: {topic: 2.0}}",
               "--set", "training.epochs=6", "--set", "training.refit=false", "--out", out)  # fmt: skip
    assert result.returncode == 0, result.stderr
    metrics = json.loads((out / "metrics.json").read_text(encoding="utf-8"))
    for task, scores in metrics["splits"]["test"]["tasks"].items():
        assert scores["accuracy"] > scores["majority_accuracy"] + 0.1, task
    with (out / "history.csv").open() as lines:
        last = list(csv.DictReader(lines))[-1]
    assert float(last["train.topic.weight"]) > float(last["train.sentiment.weight"]) > 0
    assert "grad attribute" not in result.stderr


@pytest.mark.parametrize("name", ["graddrop", "gradvac", "excess-mtl", "nash-mtl"])
def test_interrupted_run_resumes_bit_for_bit(tmp_path: Path, name: str) -> None:
    if name == "nash-mtl":
        pytest.importorskip("ecos")
    blocks: Block = {
        "weighting": name, "data": SPARSE, "training": {"epochs": 2, "batch_size": 8, "checkpoint_steps": 1},
    }  # fmt: skip
    expected = read_results(train_run(tmp_path, "whole", **blocks))
    with pytest.raises(Interrupt):
        run_experiment(toy_config(tmp_path, **blocks), tmp_path / "cut", InterruptAfter(7))
    resume_run(tmp_path / "cut")
    assert read_results(tmp_path / "cut") == expected


def test_half_precision_and_its_limit(tmp_path: Path, mtl: Mtl) -> None:
    """bf16 works; fp16 is rejected when the experiment is loaded."""
    path = train_run(tmp_path, "run", weighting="upgrad", training={"epochs": 3, "batch_size": 8, "precision": "bf16"})
    with (path / "history.csv").open() as lines:
        losses = [float(row["train.t0.loss"]) for row in csv.DictReader(lines)]
    assert losses[-1] < losses[0]
    assert all(value.dtype == torch.float32 for value in load_weights(path).values())
    result = mtl("validate", "topic-sentiment", "--set", "weighting=pcgrad", "--set", "training.precision=fp16")
    assert result.returncode == 2
    assert "'pcgrad' compares gradients, which are not available in fp16" in result.stderr


def test_architecture_without_shared_parameters_is_rejected(tmp_path: Path, mtl: Mtl) -> None:
    result = mtl("run", "topic-sentiment-soft", *SHORT, "--set", "weighting=pcgrad", "--out", tmp_path / "run")
    assert result.returncode == 2
    assert "weighting 'pcgrad': compares the gradients of tasks" in result.stderr
    assert not (tmp_path / "run").exists()


PACKAGES = {"pcgrad": "torchjd", "upgrad": "quadprog", "cr-mogm": "quadprog", "cagrad": "cvxpy", "nash-mtl": "ecos"}


@pytest.mark.parametrize(("type_name", "package"), PACKAGES.items())
def test_missing_package_is_reported_before_data_is_loaded(
    tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch, type_name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    extra = "torchjd[nash_mtl]" if package == "ecos" else "mtl-core[torchjd]"
    message = f"'{type_name}' needs {package}, which is not installed: pip install '{extra}'"
    result = mtl("validate", write_experiment(tmp_path, weighting={"type": type_name}))
    assert (result.returncode, result.stderr.count(message)) == (2, 1), result.stderr
    assert "toy.yaml:" in result.stderr
    with pytest.raises(MtlError, match="needs " + package):
        train_run(tmp_path, "run", weighting=type_name)


def test_run_can_be_evaluated_without_torchjd(tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch) -> None:
    path = train_run(tmp_path, "run", weighting="pcgrad", data={"type": "toy", "test_rows": 8})
    monkeypatch.setitem(sys.modules, "torchjd", None)
    result = mtl("evaluate", path)
    assert result.returncode == 0, result.stderr


def test_registry_and_schema_need_neither_torchjd_nor_torch() -> None:
    script = (
        "import sys; sys.modules['torchjd'] = None\n"
        "from mtl_core.plugins.loading import Plugins\n"
        "from mtl_core.plugins.registry import Registry\n"
        "from mtl_core.config.json_schema import build_experiment_schema\n"
        "registry = Registry(Plugins.load_installed())\n"
        "print(sorted(registry.get_specs('weightings')), 'nash-mtl' in str(build_experiment_schema(registry)))\n"
        "assert 'torch' not in sys.modules"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert "'pcgrad'" in result.stdout
    assert "True" in result.stdout


INVALID_OPTIONS: dict[str, Block] = {
    "weighting.preferences: there is no main task 'tt1'; did you mean 't1'": {
        "type": "upgrad",
        "preferences": {"tt1": 2.0},
    },
    "weighting.primary: there is no main task 'x'": {"type": "pcd", "primary": "x"},
    "'graddrop' cannot be smoothed": {"type": "cr-mogm", "aggregator": {"type": "graddrop"}},
    "'sum' cannot be smoothed": {"type": "cr-mogm", "aggregator": {"type": "sum"}},
    "weighting.epsilon": {"type": "mgda", "epsilon": 0.0},
}


@pytest.mark.parametrize(("message", "weighting"), INVALID_OPTIONS.items())
def test_invalid_options_are_rejected(tmp_path: Path, message: str, weighting: Block) -> None:
    with pytest.raises(MtlError, match=re.escape(message)):
        train_run(tmp_path, "run", weighting=weighting)


NAN_BACKBONE = '''\
"""A backbone whose gradient is NaN after seven steps: that of the square root of 0."""

from typing import Literal

from torch import nn

from mtl_core import BackboneSpec, Features, FeatureShape, hookimpl


class Root(nn.Module):
    def __init__(self, output):
        super().__init__()
        self.output, self.layer, self.calls = output, nn.Linear(output.width, output.width), 0

    def forward(self, features):
        self.calls += self.training
        values = self.layer(features.values)
        return Features(values + (values * 0).sqrt() if self.calls > 7 else values, None)


class Broken(BackboneSpec):
    """Works for seven steps."""

    type: Literal["broken"] = "broken"

    def build(self, inputs: FeatureShape) -> nn.Module:
        """Build the module."""
        return Root(inputs)


@hookimpl
def mtl_backbones():
    return [Broken]
'''


def test_non_finite_gradients_end_a_run_with_the_last_finite_weights(tmp_path: Path, mtl: Mtl) -> None:
    (tmp_path / "broken.py").write_text(NAN_BACKBONE, encoding="utf-8")
    path = write_experiment(tmp_path, weighting="upgrad", backbone="broken", data=SPARSE)
    out = tmp_path / "run"
    result = mtl("run", path, "--plugin", tmp_path / "broken.py", "--out", out)
    assert result.returncode == 2
    assert "the gradient of task 't" in result.stderr
    assert "is not finite; try a lower optimizer.lr or a training.max_grad_norm. Saved: the weights" in result.stderr
    assert (out / "model.safetensors").exists()
