"""Predictions of a saved network in lower precision."""

from typing import get_args

import pytest
import torch
from toy import toy_config

from mtl_core.runs.evaluate import evaluate_test_split
from mtl_core.runs.precision import Precision, convert_precision
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_run import SavedRun, load_run


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> SavedRun:
    folder = tmp_path_factory.mktemp("precision")
    config = toy_config(folder, data={"type": "toy", "rows": 120, "test_rows": 80, "labelled": 1.0})
    return load_run(run_experiment(config, folder / "run").path)


def compute_outputs(saved: SavedRun) -> torch.Tensor:
    rows = torch.from_numpy(saved.get_loader().load().inputs[-80:][0]).unsqueeze(0).repeat(4, 1)
    with torch.inference_mode():
        head_output = saved.network(rows)[0]
    assert head_output is not None
    outputs: torch.Tensor = head_output.outputs
    assert outputs.dtype == torch.float32
    return outputs


@pytest.mark.parametrize("precision", get_args(Precision))
def test_outputs_are_nearly_the_same(saved: SavedRun, precision: Precision) -> None:
    before = {name: value.clone() for name, value in saved.network.state_dict().items()}
    exact, approximate = compute_outputs(saved), compute_outputs(convert_precision(saved, precision))
    assert torch.allclose(exact, approximate, atol=0.1)
    assert torch.equal(exact, approximate) == (precision == "fp32")
    assert all(torch.equal(before[name], value) for name, value in saved.network.state_dict().items())


@pytest.mark.parametrize("precision", ["bf16", "int8"])
def test_scores_are_nearly_the_same(saved: SavedRun, precision: Precision) -> None:
    exact, approximate = (
        evaluate_test_split(loaded_run).scores.overall.metrics["accuracy"].value
        for loaded_run in (saved, convert_precision(saved, precision))
    )
    assert isinstance(exact, float)
    assert approximate == pytest.approx(exact, abs=0.05)
