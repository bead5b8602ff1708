"""A non-finite loss ends the training with one message, and the last finite weights are saved."""

from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from toy import toy_config, write_experiment

from mtl_core.cli.app import main
from mtl_core.errors import MtlError
from mtl_core.runs.evaluate import evaluate_test_part
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.runs.saved import load_run

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


def failing(folder: Path, **blocks: Any) -> MtlError:
    with pytest.raises(MtlError) as caught:
        run_experiment(toy_config(folder, **blocks), folder / "run")
    return caught.value


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, Any]:
    """Blocks of an experiment whose backbone returns non-finite features for the example r17."""
    plugin = tmp_path / "broken.py"
    plugin.write_text(BROKEN)
    return {
        "plugins": [str(plugin), str(Path(__file__).with_name("toy.py"))],
        "data": {"type": "outlier"},
        "backbone": "brittle",
    }


def test_the_message_names_task_batch_and_examples(tmp_path: Path, broken: dict[str, Any]) -> None:
    message = str(failing(tmp_path, **broken))
    assert "epoch 1, batch " in message
    assert "the loss of task 't" in message
    assert "for 1 of its 8 examples (id r17)" in message
    assert "check these examples" in message


def test_the_weights_before_the_batch_are_kept_in_the_first_epoch(tmp_path: Path, broken: dict[str, Any]) -> None:
    message = str(failing(tmp_path, **broken))
    run = tmp_path / "run"
    assert f"Saved: the weights before this batch; `mtl predict {run}`" in message
    assert all(bool(value.isfinite().all()) for value in load_file(run / "model.safetensors").values())
    assert not (run / "metrics.json").exists()
    other = tmp_path / "other"
    other.mkdir()
    good = toy_config(other, data={"type": "toy", "seed": 3})
    run_experiment(good, other / "run")  # the failure leaves no state in the process


def test_a_kept_network_answers(tmp_path: Path) -> None:
    blocks = {
        "data": {"type": "toy", "test_rows": 20},
        "optimizer": {"type": "sgd", "lr": 1e12},
        "training": {"epochs": 9, "batch_size": 60},
    }
    message = str(failing(tmp_path, **blocks))
    assert "the loss of task" in message or "the network's weights are not finite" in message
    assert "try a lower optimizer.lr or a training.clip_norm" in message
    run = tmp_path / "run"
    assert "Saved: the weights after epoch " in message
    assert evaluate_test_part(load_run(run)).examples == 20
    with pytest.raises(MtlError) as again:
        resume_run(run)  # there is a checkpoint; training from it fails at the same batch
    assert str(again.value).split(";")[0] == message.split(";")[0]


def test_the_command_line_ends_with_the_message_and_2(
    tmp_path: Path, broken: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_experiment(tmp_path, **broken)
    with pytest.raises(SystemExit) as ended:
        main(["run", str(path), "--out", str(tmp_path / "run")])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "id r17" in error
    assert "Traceback" not in error
