"""A non-finite loss ends the training with one message, and the last finite weights are saved."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from toy import toy_config, write_experiment

from mtl_core.cli.app import main
from mtl_core.errors import MtlError
from mtl_core.runs.evaluate import evaluate_test_split
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.runs.saved_run import load_run

BROKEN = """
from typing import Literal

import torch
from toy import Toy

from mtl_core import BackboneSpec, Features, hookimpl


class Outlier(Toy):
    type: Literal["outlier"] = "outlier"

    def load(self):
        corpus = super().load()
        corpus.inputs[17][:] = 100
        return corpus


class Brittle(BackboneSpec):
    type: Literal["brittle"] = "brittle"

    def build(self, inputs):
        return Breaking(inputs)


class Breaking(torch.nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.output = inputs
        self.weight = torch.nn.Parameter(torch.ones(inputs.width))

    def forward(self, features):
        values = features.values * self.weight
        far = values.abs().amax(dim=-1, keepdim=True) > 6
        return Features(values.masked_fill(far, float("inf")), features.mask)


@hookimpl
def mtl_loaders():
    return [Outlier]


@hookimpl
def mtl_backbones():
    return [Brittle]
"""


def run_error(folder: Path, **blocks: Any) -> MtlError:
    with pytest.raises(MtlError) as excinfo:
        run_experiment(toy_config(folder, **blocks), folder / "run")
    return excinfo.value


@pytest.fixture
def broken_blocks(tmp_path: Path) -> dict[str, Any]:
    """Blocks of an experiment whose backbone returns non-finite features for the example r17."""
    plugin = tmp_path / "broken.py"
    plugin.write_text(BROKEN)
    return {
        "plugins": [str(plugin), str(Path(__file__).with_name("toy.py"))],
        "data": {"type": "outlier"},
        "backbone": "brittle",
    }


def test_message_has_task_batch_and_examples(tmp_path: Path, broken_blocks: dict[str, Any]) -> None:
    message = str(run_error(tmp_path, **broken_blocks))
    assert "epoch 1, batch " in message
    assert "the loss of task 't" in message
    assert "for 1 of its 8 examples (id r17)" in message
    assert "check these examples" in message


def test_weights_before_the_batch_are_saved_in_the_first_epoch(tmp_path: Path, broken_blocks: dict[str, Any]) -> None:
    message = str(run_error(tmp_path, **broken_blocks))
    run = tmp_path / "run"
    assert f"Saved: the weights before this batch; `mtl predict {run}`" in message
    assert all(bool(value.isfinite().all()) for value in load_file(run / "model.safetensors").values())
    assert not (run / "metrics.json").exists()
    other_dir = tmp_path / "other"
    other_dir.mkdir()
    finite_config = toy_config(other_dir, data={"type": "toy", "seed": 3})
    run_experiment(finite_config, other_dir / "run")  # the failure leaves no state in the process


def test_saved_network_can_be_evaluated(tmp_path: Path) -> None:
    blocks = {
        "data": {"type": "toy", "test_rows": 20},
        "optimizer": {"type": "sgd", "lr": 1e12},
        "training": {"epochs": 9, "batch_size": 60},
    }
    message = str(run_error(tmp_path, **blocks))
    assert "the loss of task" in message or "the network's weights are not finite" in message
    assert "try a lower optimizer.lr or a training.max_grad_norm" in message
    run = tmp_path / "run"
    assert "Saved: the weights after epoch " in message
    assert evaluate_test_split(load_run(run)).n_examples == 20
    with pytest.raises(MtlError) as excinfo:
        resume_run(run)  # there is a checkpoint; training from it fails at the same batch
    assert str(excinfo.value).split(";")[0] == message.split(";")[0]


def test_command_line_exits_with_the_message_and_code_2(
    tmp_path: Path, broken_blocks: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_experiment(tmp_path, **broken_blocks)
    with pytest.raises(SystemExit) as excinfo:
        main(["run", str(path), "--out", str(tmp_path / "run")])
    assert excinfo.value.code == 2
    error = capsys.readouterr().err
    assert "id r17" in error
    assert "Traceback" not in error
