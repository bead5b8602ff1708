"""Runs of more than twenty tasks: compact files, bounded output, and the same predictions in every format."""

import json
import random
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from toy import task_block, toy_config

import mtl_core as mtl
from mtl_core.artifacts.many_tasks import MAX_LISTED_TASKS
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.artifacts.safetensors_predictions import write_safetensors
from mtl_core.artifacts.saved_predictions import SavedPredictions, read_predictions
from mtl_core.cli.app import main
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import load_experiment
from mtl_core.data.prepare import prepare
from mtl_core.errors import MtlError
from mtl_core.evaluation.inference import run_network
from mtl_core.nn.device import get_device
from mtl_core.runs import saved_outputs
from mtl_core.runs.array_collector import ArrayCollector
from mtl_core.runs.mistakes import MAX_MISTAKES, MAX_MISTAKES_OF_ALL
from mtl_core.runs.result_files import build_data_report, get_split_rows
from mtl_core.runs.run import run_experiment
from mtl_core.runs.run_report import RunReport
from mtl_core.runs.saved_outputs import OutputCollector, TaskOutputs, read_outputs
from mtl_core.runs.saved_run import load_run
from mtl_core.serving.sample_texts import load_examples

FORMATS = ("jsonl", "safetensors", "parquet", "none")
KINDS: dict[str, Any] = {
    "bin*": "binary",
    "cls*": "classification",
    "ord*": {"type": "ordinal", "classes": ["low", "mid", "high"]},
    "num*": "regression",
    "vec*": {"type": "regression", "outputs": 2},
    "set*": "multi-label",
}
N_PER_KIND = {"bin": 8, "cls": 6, "ord": 3, "num": 3, "vec": 2, "set": 2}
LABELS: dict[str, list[Any]] = {
    "bin": ["no", "yes"],
    "cls": ["a", "b", "c"],
    "ord": ["low", "mid", "high"],
    "num": [1.5, 2.25, 7.125],
    "vec": [[1.0, 2.5], [3.0, -4.5]],
    "set": [["x"], ["x", "y"], [], ["z"]],
}


def write_table(folder: Path, n_rows: int = 80) -> Path:
    """Write an experiment with a table of tasks of all kinds whose predictions are arrays; labels are missing."""
    draw, lines = random.Random(0), []
    for row in range(n_rows):
        record: dict[str, Any] = {f"x{index}": draw.gauss(0, 1) for index in range(4)}
        for prefix, n_tasks in N_PER_KIND.items():
            for index in range(n_tasks):
                record[f"{prefix}{index}"] = draw.choice(LABELS[prefix]) if draw.random() < 0.6 or row < 8 else None
        lines.append(json.dumps({"id": f"e{row}", **record}))
    (folder / "table.jsonl").write_text("\n".join(lines), encoding="utf-8")
    experiment = {
        "data": {
            "type": "table",
            "train": str(folder / "table.jsonl"),
            "numbers": [f"x{index}" for index in range(4)],
            "id": "id",
        },
        "split": {"type": "random", "validation": 0.2, "test": 0.3},
        "encoder": "array",
        "backbone": {"type": "mlp", "hidden_dims": [8]},
        "tasks": [{"each": pattern, "kind": kind, "head": "linear"} for pattern, kind in KINDS.items()],
        "training": {"epochs": 2, "batch_size": 16, "calibrate": True},
    }
    path = folder / "many.yaml"
    path.write_text(yaml.safe_dump(experiment), encoding="utf-8")
    return path


def load_config(path: Path, *overrides: str) -> ExperimentConfig:
    return load_experiment(str(path), list(overrides)).config


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_table(tmp_path_factory.mktemp("many"))


@pytest.fixture(scope="module")
def reports(experiment: Path) -> dict[str, RunReport]:
    """The same run with its predictions in each format."""
    return {
        name: run_experiment(load_config(experiment, f"predictions={name}"), experiment.parent / name)
        for name in FORMATS
    }


def read_run_predictions(report: RunReport) -> SavedPredictions:
    return read_predictions(RunDirectory(report.path).require_predictions())


@pytest.mark.parametrize("name", ["safetensors", "parquet"])
def test_every_format_has_the_same_predictions(name: str, reports: dict[str, RunReport]) -> None:
    expected, predictions = (read_run_predictions(reports[one]) for one in ("jsonl", name))
    assert not (reports[name].path / "predictions.jsonl").exists()
    assert list(predictions) == list(expected)
    assert (predictions.ids, predictions.split) == (expected.ids, "test")
    for task, lines in expected.items():
        arrays = predictions[task]
        assert list(arrays.classes) == list(lines.classes)
        if task[:3] in {"num", "vec"}:
            np.testing.assert_allclose(np.array(arrays.labels.tolist()), np.array(lines.labels.tolist()), rtol=1e-5)
            assert [one is None for one in arrays.gold] == [one is None for one in lines.gold]
            known = [index for index, one in enumerate(lines.gold) if one is not None]
            np.testing.assert_allclose(
                np.array(arrays.gold[known].tolist()), np.array(lines.gold[known].tolist()), rtol=1e-6
            )
        else:
            assert arrays.labels.tolist() == lines.labels.tolist()
            assert arrays.gold.tolist() == lines.gold.tolist()
            assert arrays.probabilities is not None
            assert lines.probabilities is not None
            assert np.abs(arrays.probabilities - lines.probabilities).max() < 1e-5


def test_formats_differ_in_nothing_else(reports: dict[str, RunReport]) -> None:
    for name in FORMATS[1:]:
        for file in ("model.safetensors", "mistakes.jsonl", "history.csv"):
            assert (reports[name].path / file).read_bytes() == (reports["jsonl"].path / file).read_bytes(), (name, file)
        assert reports[name].scores == reports["jsonl"].scores


def test_predictions_are_not_decoded_one_by_one(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No kind decodes objects, except those of the tasks of the few mistakes."""
    from mtl_core.builtins.task_kinds.runtime.regression import RegressionKind

    def refuse(*_: Any) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(RegressionKind, "decode", refuse)
    report = run_experiment(load_config(experiment), experiment.parent / "not-decoded")
    assert (report.path / "predictions.safetensors").is_file()


def test_default_format_depends_on_the_number_of_tasks(tmp_path: Path) -> None:
    for n_tasks, expected in (
        (MAX_LISTED_TASKS, "predictions.jsonl"),
        (MAX_LISTED_TASKS + 1, "predictions.safetensors"),
    ):
        config = toy_config(tmp_path, data={"type": "toy", "tasks": n_tasks}, training={"epochs": 1})
        path = run_experiment(config, tmp_path / str(n_tasks)).path
        assert [one.name for one in path.glob("predictions*")] == [expected]


def test_labels_that_a_mask_excludes_are_true_labels(tmp_path: Path) -> None:
    config = toy_config(tmp_path, data={"type": "toy", "tasks": 21}, training={"epochs": 1})
    predictions = read_run_predictions(run_experiment(config, tmp_path / "run"))
    labels = {label for task in predictions.values() for label in task.gold}
    assert {"absent", None, "c0"} <= labels
    assert "absent" not in {label for task in predictions.values() for label in task.labels}


def test_predictions_that_are_no_arrays_are_lines(tmp_path: Path) -> None:
    kind = {"type": "detect-and-classify", "classes": ["c0", "c1", "c2"], "absent_label": "absent"}
    tasks = [{**task_block(kind=kind), "mask": "observed"}]
    config = toy_config(tmp_path, data={"type": "toy", "tasks": 21}, tasks=tasks, training={"epochs": 1})
    report = run_experiment(config, tmp_path / "run")
    assert (report.path / "predictions.jsonl").is_file()
    assert any("'t0' of kind 'detect-and-classify'" in warning for warning in report.data.warnings)
    with pytest.raises(MtlError, match=r"predictions: 'safetensors' .*'t0' of kind 'detect-and-classify'.*use `predic"):
        run_experiment(config.model_copy(update={"predictions": "safetensors"}), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


def test_parquet_without_pyarrow_is_an_error(experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtl_core.plugins.optional_packages.find_spec", lambda _: None)
    with pytest.raises(MtlError, match=r"predictions: 'parquet' needs pyarrow, .*pip install \"mtl-core\[parquet\]\""):
        run_experiment(load_config(experiment, "predictions=parquet"), tmp_path / "run")


def test_compact_outputs_equal_those_per_task(
    experiment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved_run, data = load_run(experiment.parent / "safetensors"), prepare(load_config(experiment))
    rows, files = get_split_rows(data, "test"), {}
    for name, has_many in (("task", False), ("group", True)):
        monkeypatch.setattr(saved_outputs, "has_many_tasks", lambda _, has_many=has_many: has_many)
        collector = OutputCollector(data.groups)
        for batch_outputs in run_network(saved_run.network, data.examples, rows, get_device(saved_run.network)):
            collector.update(batch_outputs)
        run = RunDirectory(tmp_path / name)
        run.path.mkdir()
        collector.write(run, "test", rows, [data.corpus.ids[row] for row in rows])
        files[name] = read_outputs(run)
    assert len(list((tmp_path / "task").iterdir())) == 1
    assert (tmp_path / "task" / "outputs.safetensors").read_bytes() != (
        tmp_path / "group" / "outputs.safetensors"
    ).read_bytes()
    (first_split, first), (second_split, second) = files.values()
    assert first_split == second_split == "test"
    assert list(first) != []
    assert set(first) == set(second)
    for name, outputs in first.items():
        other = second[name]
        assert isinstance(outputs, TaskOutputs)
        assert isinstance(other, TaskOutputs)
        for key in ("outputs", "targets", "examples"):
            table, other_table = getattr(outputs, key), getattr(other, key)
            assert table.dtype == other_table.dtype
            assert torch.equal(table.nan_to_num(-9), other_table.nan_to_num(-9)), (name, key)


def test_outputs_belong_to_the_examples(reports: dict[str, RunReport]) -> None:
    """The compact file holds the outputs of the labelled examples, in their order, and their ids."""
    for name in ("safetensors", "none"):
        run = RunDirectory(reports[name].path)
        ids = saved_outputs.read_output_ids(run)
        assert ids == read_run_predictions(reports["jsonl"]).ids
        gold = read_run_predictions(reports["jsonl"])["bin3"].gold
        outputs = read_outputs(run)[1]["bin3"]
        assert outputs.examples.tolist() == [index for index, label in enumerate(gold) if label is not None]


def test_mistakes_are_the_most_confident_ones_of_all_tasks(reports: dict[str, RunReport]) -> None:
    wrong = []
    for task, one in read_run_predictions(reports["jsonl"]).items():
        if task[:3] in {"bin", "cls", "ord"}:
            assert one.probabilities is not None
            confidences = [
                one.probabilities[row][list(one.classes).index(label)]
                for row, label in enumerate(one.labels)
                if one.gold[row] not in (None, label)
            ]
            wrong += sorted(confidences, reverse=True)[:MAX_MISTAKES]
    records = [json.loads(line) for line in (reports["safetensors"].path / "mistakes.jsonl").read_text().splitlines()]
    expected = sorted(wrong, reverse=True)[:MAX_MISTAKES_OF_ALL]
    assert len(records) == len(expected) == MAX_MISTAKES_OF_ALL
    assert [record["confidence"] for record in records] == pytest.approx(expected, abs=1e-5)


def run_command(*arguments: object) -> None:
    with pytest.raises(SystemExit) as system_exit:
        main([str(word) for word in arguments])
    assert system_exit.value.code == 0


@pytest.mark.parametrize("extension", ["safetensors", "parquet"])
def test_predict_writes_arrays(extension: str, experiment: Path, reports: dict[str, RunReport], tmp_path: Path) -> None:
    for name in ("jsonl", extension):
        output = tmp_path / f"new.{name}"
        run_command("predict", reports["none"].path, "--input", experiment.parent / "table.jsonl", "--output", output)
    expected, predictions = (read_predictions(tmp_path / f"new.{name}") for name in ("jsonl", extension))
    assert predictions.ids == expected.ids
    assert len(predictions.ids) == 80
    for task in ("bin1", "cls2", "ord0", "set1"):
        assert predictions[task].labels.tolist() == expected[task].labels.tolist()
        assert predictions[task].gold.tolist() == expected[task].gold.tolist()
    np.testing.assert_allclose(
        predictions["num1"].labels.astype(float), expected["num1"].labels.astype(float), rtol=1e-5
    )


def test_api_reads_predictions(reports: dict[str, RunReport]) -> None:
    run = mtl.load(reports["safetensors"].path)
    assert run.predictions["cls1"].probabilities.shape == (24, 3)  # type: ignore[union-attr]
    with pytest.raises(MtlError, match="there is no task 'cls11'; did you mean 'cls1'"):
        run.predictions["cls11"]
    with pytest.raises(MtlError, match="has no predictions; it was made with `predictions: none`"):
        _ = mtl.load(reports["none"].path).predictions
    assert len(repr(run.metrics).splitlines()) < 40


@pytest.mark.parametrize("extension", ["safetensors", "parquet"])
def test_damaged_file_is_an_error(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"predictions.{extension}"
    path.write_bytes(b"not a file of predictions")
    with pytest.raises(MtlError, match=f"{extension}: damaged"):
        read_predictions(path)


def test_terminal_has_few_lines(
    experiment: Path, reports: dict[str, RunReport], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_command("run", experiment, "--out", tmp_path / "run", "--set", "training.epochs=1")
    text = capsys.readouterr().out
    assert len(text.splitlines()) <= 40
    assert re.search(r"best and worst tasks by relative error reduction", text)
    assert re.search(r"accuracy: better than the baseline in \d+ of \d+ tasks", text)
    run_command("validate", experiment, "--data")
    text = capsys.readouterr().out
    assert "8 tasks: binary" in text
    assert len(text.splitlines()) < 20
    run_command("evaluate", reports["none"].path, "--data", experiment.parent / "table.jsonl")
    assert len(capsys.readouterr().out.splitlines()) <= 30


def test_label_counts_equal_those_of_the_table(experiment: Path) -> None:
    data = prepare(load_config(experiment))
    report = build_data_report(data)
    for split_name, rows in (("train", data.split.train), ("test", data.split.test)):
        for task in ("bin0", "cls4", "set0", "num2", "vec1"):
            labels = [data.labels[task][row] for row in rows.tolist()]
            known = [label for label in labels if label is not None]
            counts = report.label_counts[split_name][task]
            if task[:3] in {"num", "vec"}:
                assert counts == {"labels": len(known)}
            else:
                members = [one for label in known for one in (label if isinstance(label, list | tuple) else [label])]
                assert counts == {name: members.count(name) for name in counts}
                assert sum(counts.values()) == len(members) > 0


def test_order_of_batches_does_not_matter(experiment: Path, reports: dict[str, RunReport], tmp_path: Path) -> None:
    saved_run, data = load_run(reports["safetensors"].path), prepare(load_config(experiment))
    rows, device = get_split_rows(data, "test"), get_device(saved_run.network)
    array_collector, output_collector = ArrayCollector(data.groups), OutputCollector(data.groups)
    for part in (rows[12:], rows[:5], rows[5:12]):
        for batch_outputs in run_network(saved_run.network, data.examples, part, device):
            array_collector.update(batch_outputs)
            output_collector.update(batch_outputs)
    predictions = array_collector.build("test", [data.corpus.ids[row] for row in rows], rows)
    write_safetensors(tmp_path / "shuffled.safetensors", predictions)
    shuffled, expected = read_predictions(tmp_path / "shuffled.safetensors"), read_run_predictions(reports["jsonl"])
    for task in ("bin2", "cls0", "ord1", "set0"):
        assert shuffled[task].gold.tolist() == expected[task].gold.tolist()
    run = RunDirectory(tmp_path)
    output_collector.write(run, "test", rows, None)
    for task, outputs in read_outputs(RunDirectory(reports["jsonl"].path))[1].items():
        other = read_outputs(run)[1][task]
        assert isinstance(outputs, TaskOutputs)
        assert isinstance(other, TaskOutputs)
        assert torch.equal(outputs.examples, other.examples)
        assert torch.equal(outputs.targets.nan_to_num(-9), other.targets.nan_to_num(-9))


def test_server_finds_example_rows(experiment: Path, tmp_path: Path) -> None:
    """A run of many tasks keeps the cells of some examples, for examples of requests."""
    blocks = yaml.safe_load(experiment.read_text(encoding="utf-8"))
    blocks["data"]["inputs"] = dict.fromkeys(blocks["data"].pop("numbers"), "number")
    blocks["training"] = {"epochs": 1}
    del blocks["encoder"]
    path = tmp_path / "rows.yaml"
    path.write_text(yaml.safe_dump(blocks), encoding="utf-8")
    run = run_experiment(load_config(path), tmp_path / "run").path
    examples = load_examples(run, load_run(run))
    lines = (experiment.parent / "table.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [{name: json.loads(line)[name] for name in ("x0", "x1", "x2", "x3")} for line in lines]
    assert len(examples) == 4
    assert all(example in rows for example in examples)
