"""Models from Python: fit, metrics, predictions, save, load, and the same experiment in YAML."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from notebook_parts import DoubledHead, Net, NotebookBackbone
from table_columns import INPUTS, LABELS
from torch import nn

import mtl_core as mtl
from mtl_core import MtlError
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import load_experiment
from mtl_core.runs import run_experiment


def read_weights(run: mtl.Run) -> bytes:
    return (run.path / "model.safetensors").read_bytes()


def test_metrics_are_those_of_the_run_directory(run: mtl.Run) -> None:
    accuracy = run.metrics["test", "topic", "accuracy"]
    assert accuracy is not None
    assert accuracy > 0.6
    table: Any = run.metrics.to_frame().set_index(["split", "task", "metric"])
    assert table.loc[("test", "topic", "accuracy"), "value"] == accuracy
    baseline = table.loc[("test", "topic", "accuracy"), "baseline"]
    assert 0.4 < baseline < accuracy
    assert table.loc[("test", "rating", "mae"), "n"] < 48  # a fifth of 240 is held out, a third of the labels missing


def test_predictions_are_those_of_a_loaded_run(run: mtl.Run, frame: pd.DataFrame, tmp_path: Path) -> None:
    table = run.predict(frame).to_frame(probabilities=True)
    assert len(table) == len(frame)
    assert set(table["topic"]) == {"sport", "music"}
    np.testing.assert_allclose(table["topic.sport"] + table["topic.music"], 1)
    saved_path = run.save(tmp_path / "saved")
    assert (saved_path / "report.html").is_file()
    loaded = mtl.load(saved_path).predict(frame[["c", "a", "b"]])  # columns are found by name
    pd.testing.assert_frame_equal(loaded.to_frame(probabilities=True), table)
    with pytest.raises(MtlError, match="exists already"):
        run.save(tmp_path / "saved")


def test_command_line_predicts_rows_with_a_run_from_python(
    run: mtl.Run, frame: pd.DataFrame, tmp_path: Path, mtl: Callable[..., Any]
) -> None:
    frame.to_csv(tmp_path / "rows.csv", index=False)
    output = tmp_path / "predictions.jsonl"
    mtl("predict", run.save(tmp_path / "run"), "--input", tmp_path / "rows.csv", "--output", output)
    lines = output.read_text(encoding="utf-8").splitlines()
    labels = [json.loads(line)["tasks"]["topic"]["label"] for line in lines]
    assert labels == list(run.predict(frame).to_frame()["topic"])


def test_yaml_and_python_give_the_same_weights(model: mtl.Model, data: mtl.Data, run: mtl.Run, tmp_path: Path) -> None:
    model.to_yaml(tmp_path / "experiment.yaml", data)
    config = load_experiment(tmp_path / "experiment.yaml", ["training.epochs=3", "seed=7"]).config
    run_experiment(config, tmp_path / "yaml")
    from_yaml = mtl.Model.from_yaml(tmp_path / "experiment.yaml").fit(epochs=3, seed=7, progress=False)
    other_seed = model.fit(data, epochs=3, seed=8, progress=False)
    assert (tmp_path / "yaml" / "model.safetensors").read_bytes() == read_weights(run)
    assert read_weights(from_yaml) == read_weights(run)
    assert read_weights(other_seed) != read_weights(run)


def test_yaml_model_is_changed_and_fitted_in_python(data: mtl.Data, model: mtl.Model, tmp_path: Path) -> None:
    model.to_yaml(tmp_path / "experiment.yaml", data)
    changed = mtl.Model.from_yaml(tmp_path / "experiment.yaml").replace(weighting="uncertainty", backbone=Net)
    run = changed.with_overrides("training.epochs=1").fit(progress=False)
    text = (run.path / "config.yaml").read_text(encoding="utf-8")
    assert "type: uncertainty" in text
    assert "epochs: 1\n" in text
    assert run.predict([{"a": 1.0, "b": 2.0, "c": None}])[0].tasks["topic"].label in {"sport", "music"}


def test_images_in_memory_are_not_written_as_yaml(tmp_path: Path) -> None:
    images = np.zeros((4, 6, 6), dtype=np.uint8)
    data = mtl.Data.from_arrays(images, {"dark": [0, 1, 0, 1]}, types={"input": "image"})
    with pytest.raises(MtlError, match="train table, column 'input': images in memory cannot be written"):
        mtl.Model(["dark"], backbone="residual-cnn").to_yaml(tmp_path / "experiment.yaml", data)
    assert not list(tmp_path.iterdir())


def test_model_without_data_is_written_without_data(model: mtl.Model, tmp_path: Path) -> None:
    model.to_yaml(tmp_path / "experiment.yaml")
    text = (tmp_path / "experiment.yaml").read_text(encoding="utf-8")
    assert text.startswith("# This model was written without data")
    (tmp_path / "rows.csv").write_text("a,topic,rating\n1,x,2\n2,y,3\n", encoding="utf-8")
    table = f"data={{type: table, train: {tmp_path / 'rows.csv'}, inputs: {{a: number}}}}"
    assert load_experiment(tmp_path / "experiment.yaml", [table]).config.tasks[0].head.type == "linear"


@pytest.mark.parametrize(
    "backbone", [Net, Net(), lambda inputs: nn.Linear(inputs.width, 5)], ids=["class", "instance", "function"]
)
def test_own_module_is_trained_saved_and_loaded(
    backbone: Any, data: mtl.Data, frame: pd.DataFrame, tmp_path: Path
) -> None:
    run = mtl.Model(tasks=["topic"], backbone=backbone).fit(data, epochs=1, progress=False)
    path = run.save(tmp_path / "run")
    with pytest.raises(MtlError, match=r"handed in from Python.*mtl\.load\(path, parts="):
        mtl.load(path)
    loaded = mtl.load(path, parts=[backbone])
    expected = run.predict(frame).to_frame(probabilities=True)
    pd.testing.assert_frame_equal(loaded.predict(frame).to_frame(probabilities=True), expected)


def test_module_instance_keeps_its_weights_and_is_not_changed(data: mtl.Data) -> None:
    module = nn.Linear(3, 4)
    model = mtl.Model(tasks=["topic"], backbone=module, optimizer={"type": "sgd", "lr": 1e-12})
    before = module.weight.detach().clone()
    networks = [model.fit(data, epochs=1, seed=seed, progress=False).network for seed in (1, 2)]
    assert torch.equal(module.weight, before)
    for network in networks:
        torch.testing.assert_close(dict(network.named_parameters())["trunk.backbone.module.weight"], before)
    model = mtl.Model(tasks=["topic"], backbone=lambda inputs: nn.Linear(inputs.width, 4))
    weights = [dict(model.fit(data, epochs=1, seed=seed, progress=False).network.named_parameters()) for seed in (1, 2)]
    assert not torch.equal(*(one["trunk.backbone.module.weight"] for one in weights))


def test_spec_of_a_notebook_is_trained_saved_and_loaded(data: mtl.Data, frame: pd.DataFrame, tmp_path: Path) -> None:
    model = mtl.Model(tasks=[mtl.Task("topic", head=DoubledHead(factor=3.0))], backbone=NotebookBackbone)
    run = model.fit(data, epochs=1, progress=False)
    path = run.save(tmp_path / "run")
    with pytest.raises(MtlError, match=r"the run uses DoubledHead, NotebookBackbone, handed in from Python"):
        mtl.load(path)
    loaded = mtl.load(path, parts=[NotebookBackbone, DoubledHead])
    pd.testing.assert_frame_equal(loaded.predict(frame).to_frame(), run.predict(frame).to_frame())
    with pytest.raises(MtlError, match="DoubledHead has no name that YAML could use"):
        model.to_yaml(tmp_path / "experiment.yaml", data)
    assert list(tmp_path.iterdir()) == [path]


def test_replaced_parts_are_forgotten(data: mtl.Data, tmp_path: Path) -> None:
    own_model = mtl.Model(tasks=["topic"], backbone=Net())
    own_model.replace(backbone="mlp").to_yaml(tmp_path / "experiment.yaml", data)
    run = own_model.with_overrides("backbone=mlp").fit(data, epochs=1, progress=False)
    mtl.load(run.save(tmp_path / "run"))
    with pytest.raises(MtlError, match="Net has no name that YAML could use"):
        own_model.to_yaml(tmp_path / "own.yaml", data)


def test_unregistered_spec_is_refused_before_training(model: mtl.Model, data: mtl.Data, tmp_path: Path) -> None:
    config = model.build_experiment(data).load().config
    config = config.model_copy(update={"backbone": NotebookBackbone()})
    with pytest.raises(
        MtlError, match=r"the backbone 'notebook' \(class NotebookBackbone\) is registered by no plugin"
    ):
        run_experiment(config, tmp_path / "run")
    assert isinstance(config, ExperimentConfig)
    assert not (tmp_path / "run").exists()


def test_class_of_main_is_trained_compared_and_loaded(tmp_path: Path) -> None:
    script = tmp_path / "notebook.py"
    script.write_text(
        """
import numpy as np, torch, mtl_core as mtl
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.LazyLinear(4)
    def forward(self, values):
        return self.linear(values)
random = np.random.default_rng(0)
x = random.normal(size=(90, 3))
data = mtl.Data.from_arrays(x, {"up": x[:, 0] > 0, "down": x[:, 1] < 0})
model = mtl.Model(tasks=["up", "down"], backbone=Net)
run = model.fit(data, epochs=1, progress=False)
print(mtl.load(run.save("run"), parts=[Net]).predict(x[:3]).to_frame()["up"].tolist())
print(mtl.compare(model, data, seeds=2, epochs=1, progress=False).verdict("up"))
""",
        encoding="utf-8",
    )
    output = subprocess.run([sys.executable, script], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    predicted, verdict = output.splitlines()
    assert set(re.findall("true|false", predicted)) <= {"true", "false"}
    assert verdict == "not resolved"


def test_same_seed_gives_the_same_weights(model: mtl.Model, data: mtl.Data, run: mtl.Run) -> None:
    state = torch.random.get_rng_state()
    again = model.fit(data, epochs=3, seed=7, progress=False)
    assert read_weights(again) == read_weights(run)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_fit_into_a_directory_writes_the_report_and_progress(
    model: mtl.Model, data: mtl.Data, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = model.fit(data, epochs=2, out=tmp_path / "run")
    assert (tmp_path / "run" / "report.html").is_file()
    assert "epoch 2: loss" in capsys.readouterr().err
    assert "<iframe srcdoc=" in run.report()._repr_html_()
    assert "<td>accuracy</td>" in run._repr_html_()


def test_temporary_run_is_removed_with_its_object(model: mtl.Model, data: mtl.Data) -> None:
    run = model.fit(data, epochs=1, progress=False)
    path = run.path
    assert path.is_dir()
    del run
    assert not path.exists()


def test_evaluation_of_the_test_rows_gives_the_test_metrics(model: mtl.Model, frame: pd.DataFrame) -> None:
    train, test = frame[:180], frame[180:]
    run = model.fit(mtl.Data.from_frame(train, INPUTS, LABELS, test=test), epochs=1, progress=False)
    metrics = run.evaluate(test)
    for metric in ("accuracy", "macro_f1"):
        assert metrics["data", "topic", metric] == run.metrics["test", "topic", metric]
    assert metrics["data", "rating", "mae"] == pytest.approx(run.metrics["test", "rating", "mae"])
    assert run.evaluate(train)["data", "topic", "accuracy"] != metrics["data", "topic", "accuracy"]
    with pytest.raises(MtlError, match="the table: has no label for any task"):
        run.evaluate(test.drop(columns=LABELS))


def test_number_that_is_missing_only_at_prediction_is_the_mean(run: mtl.Run, frame: pd.DataFrame) -> None:
    rows = frame[["a", "b", "c"]].head(2).astype(object)
    rows.loc[0, "a"] = None
    rows.loc[1, "a"] = frame["a"].mean()
    predictions = run.predict(rows)
    ratings: Any = [prediction.tasks["rating"].label for prediction in predictions]
    assert np.isfinite(ratings).all()
    assert run.network.trunk.output.width == 128
