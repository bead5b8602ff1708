"""Several data sets in one network, each with its own columns, masks and batches."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from toy import toy_config, toy_network, write_experiment
from two_tables import build_loader_block, build_two_table_blocks, sample_rows, write_table

from mtl_core import Corpus, LoaderSpec, MtlError
from mtl_core.config.load import load_experiment
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.prepare import prepare
from mtl_core.data.sources import load_sources
from mtl_core.runs.evaluate import evaluate_file, evaluate_test_split
from mtl_core.runs.predict_inputs import predict_file
from mtl_core.runs.run import run_experiment
from mtl_core.runs.run_report import RunReport
from mtl_core.runs.saved_run import SavedRun, load_run
from mtl_core.training.batch_sampler import build_batch_sampler

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="module")
def report(folder: Path) -> RunReport:
    """A run on two data sets whose label columns have the same name and different meanings."""
    return run_experiment(toy_config(folder, **build_two_table_blocks(folder)), folder / "run")


@pytest.fixture(scope="module")
def saved(report: RunReport) -> SavedRun:
    return load_run(report.path)


def read_metrics(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((path / "metrics.json").read_text(encoding="utf-8"))
    return content


def read_records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (path / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]


# ── data sets with the same column name ──


def test_each_task_has_classes_labels_and_metrics_of_its_data_set(report: RunReport) -> None:
    data = read_metrics(report.path)["data"]
    assert data["examples"]["test"] == 21 + 22
    assert data["examples"]["train"] + data["examples"]["validation"] == 60 + 90
    for name, classes, count in (("side", {"left", "right"}, 60), ("height", {"low", "high"}, 90)):
        counts = [data["label_counts"][part][name] for part in ("train", "validation")]
        assert {*counts[0]} == classes
        assert sum(sum(part.values()) for part in counts) == count
    scores = read_metrics(report.path)["splits"]["test"]["tasks"]
    assert {name: score["n"] for name, score in scores.items()} == {"side": 21, "height": 22}
    for score in scores.values():
        assert score["accuracy"] > 0.85 > score["majority_accuracy"] + 0.1


def test_example_ids_and_labels_belong_to_their_data_set(report: RunReport) -> None:
    predictions = read_records(report.path)
    assert [record["id"] for record in predictions] == [
        *(f"across/{number}" for number in range(1, 22)),
        *(f"down/{number}" for number in range(1, 23)),
    ]
    for record in predictions:
        labelled_task, unlabelled_task = (
            ("side", "height") if record["id"].startswith("across/") else ("height", "side")
        )
        assert "gold" in record["tasks"][labelled_task]
        assert "gold" not in record["tasks"][unlabelled_task]  # every task predicts every example
        assert {*record["tasks"][unlabelled_task]["probabilities"]} == {
            "side": {"left", "right"},
            "height": {"low", "high"},
        }[unlabelled_task]


def list_batches(config: Any, prepared: FittedData, epochs: int) -> list[np.ndarray[Any, Any]]:
    batch_sampler = build_batch_sampler(config, prepared.corpus, prepared.split, prepared.examples.lengths)
    return [batch for epoch in range(epochs) for batch in batch_sampler.get_batches(epoch)]


def test_batch_has_one_data_set_and_labels_of_its_tasks_only(folder: Path) -> None:
    config = toy_config(folder, **build_two_table_blocks(folder, sampling="uniform"))
    prepared, _, objective = toy_network(config)
    names = [task.name for group in prepared.groups for task in group.tasks]
    seen: Counter[str] = Counter()
    for rows_of_batch in list_batches(config, prepared, 2):
        (source,) = {prepared.corpus.sources[row] for row in rows_of_batch.tolist()}
        masks = torch.cat(objective.compute_masks(prepared.examples.build_batch(rows_of_batch, CPU)), dim=1)
        expected = ["side" if source == "across" else "height"]
        assert [name for name, column in zip(names, masks.T, strict=True) if column.any()] == expected
        assert masks[:, names.index(expected[0])].all()
        seen[source] += 1
    assert abs(seen["across"] - seen["down"]) <= 1


def test_saved_run_is_loaded_with_its_data_sets(saved: SavedRun, report: RunReport) -> None:
    assert list(saved.config.loaders) == ["across", "down"]
    for name, score in evaluate_test_split(saved).scores.tasks.items():
        assert score.metrics["accuracy"].value == report.scores["test"].tasks[name].metrics["accuracy"].value
        assert score.n == report.scores["test"].tasks[name].n


def test_file_is_evaluated_for_the_tasks_of_the_selected_data_set(
    saved: SavedRun, report: RunReport, folder: Path
) -> None:
    for name, task, other_task in (("across", "side", "height"), ("down", "height", "side")):
        scores = evaluate_file(saved, folder / f"{name}-test.csv", name).scores
        assert scores.tasks[task].metrics["accuracy"].value == pytest.approx(
            report.scores["test"].tasks[task].metrics["accuracy"].value
        )
        assert scores.tasks[other_task].n == 0
    with pytest.raises(MtlError, match=r"task 'height': .*across-test\.csv:2: the label .* is not one of the"):
        evaluate_file(saved, folder / "across-test.csv", "down")


def test_predictions_of_a_file_have_gold_labels_of_the_selected_data_set(saved: SavedRun, folder: Path) -> None:
    for name, labelled_task in (("across", "side"), ("down", "height")):
        predictions = list(predict_file(saved, folder / f"{name}-test.csv", data_set=name))
        assert {key for record in predictions for key, task in record["tasks"].items() if "gold" in task} == {
            labelled_task
        }


def test_unknown_data_set_is_reported_with_the_nearest_name(saved: SavedRun, folder: Path) -> None:
    with pytest.raises(MtlError, match=r"the run has several data sets; name .* \(data sets: across, down\)"):
        evaluate_file(saved, folder / "across-test.csv")
    uses: list[Callable[[SavedRun, Path, str], object]] = [
        evaluate_file,
        lambda run, path, data_set: list(predict_file(run, path, data_set=data_set)),
    ]
    for use in uses:
        with pytest.raises(MtlError, match=r"unknown data set 'acros'; did you mean 'across'\? \(data sets: across, d"):
            use(saved, folder / "across-test.csv", "acros")


# ── data sets of each task ──


def test_two_data_sets_feed_one_task(tmp_path: Path) -> None:
    blocks = build_two_table_blocks(tmp_path)
    for name, seed in (("across", 1), ("down", 2)):
        write_table(tmp_path / f"{name}.csv", sample_rows(30, seed, label="x"))
        write_table(tmp_path / f"{name}-test.csv", sample_rows(7, seed + 5, label="x"))
    prepared = prepare(
        toy_config(tmp_path, **{**blocks, "tasks": [{"name": "label", "head": "linear"}]}, split="predefined")
    )
    (task,) = prepared.tasks
    assert sum(task.class_counts.values()) == 60
    assert task.space.classes == ("left", "right")
    assert sum(label is not None for label in prepared.labels["label"]) == 60 + 14
    assert Counter(prepared.corpus.sources) == {"across": 37, "down": 37}


def test_two_tasks_learn_from_one_data_set_and_a_third_from_both(tmp_path: Path) -> None:
    write_table(tmp_path / "a.csv", sample_rows(40, 1, side="x", height="y", both="x"))
    write_table(tmp_path / "b.csv", sample_rows(50, 2, both="x"))
    sets = {"a": build_loader_block(tmp_path / "a.csv"), "b": build_loader_block(tmp_path / "b.csv")}
    config = toy_config(
        tmp_path, data=None, data_sets=sets, tasks=[{"each": "*", "head": "linear"}], split="predefined"
    )
    prepared, _, objective = toy_network(config)
    names = [task.name for group in prepared.groups for task in group.tasks]
    assert names == ["side", "height", "both"]
    masks = torch.cat(objective.compute_masks(prepared.examples.build_batch(np.arange(90), CPU)), dim=1)
    assert masks.sum(dim=0).tolist() == [40, 40, 90]


def test_pattern_matches_columns_of_the_selected_data_sets(tmp_path: Path) -> None:
    blocks = build_two_table_blocks(tmp_path, "first", "second")
    derived = [{"each": "*", "data": ["down"], "head": "linear"}]
    assert [task.name for task in prepare(toy_config(tmp_path, **{**blocks, "tasks": derived})).tasks] == ["second"]
    derived.append({"each": "*", "data": ["across"], "head": {"type": "linear", "dropout": 0.1}})  # type: ignore[dict-item]
    run_experiment(toy_config(tmp_path, **{**blocks, "tasks": derived}), tmp_path / "run")
    assert [task.name for task in load_run(tmp_path / "run").main_tasks] == ["second", "first"]


def test_missing_columns_of_a_data_set_are_reported(tmp_path: Path) -> None:
    blocks = build_two_table_blocks(tmp_path, "first", "second")

    def prepare_error(**task: Any) -> str:
        with pytest.raises(MtlError) as error:
            prepare(toy_config(tmp_path, **{**blocks, "tasks": [{"head": "linear", **task}]}))
        return str(error.value)

    assert prepare_error(name="t", label="secnd", data=["down"]) == (
        "task 't': the data set 'down' has no label column 'secnd'; did you mean 'second'? (columns: second)"
    )
    assert prepare_error(name="t", label="second", data=["across"]) == (
        "task 't': the data set 'across' has no label column 'second' (columns: first)"
    )
    assert prepare_error(name="fist") == (
        "task 'fist': the data has no label column 'fist'; did you mean 'first'? (columns: first, second)"
    )
    assert prepare_error(each="s*", data=["across"]) == "tasks: no label column matches 's*' (columns: first)"


# ── splitting ──


@pytest.mark.parametrize("seed", range(5))
def test_equal_inputs_of_two_data_sets_are_in_the_same_split(tmp_path: Path, seed: int) -> None:
    shared = sample_rows(30, 5, label="x")
    write_table(tmp_path / "a.csv", [*sample_rows(20, 1, label="x"), *shared])
    write_table(tmp_path / "b.csv", [{**row, "label": "left"} for row in shared[::-1]])
    config = toy_config(
        tmp_path,
        data=None,
        data_sets={"a": build_loader_block(tmp_path / "a.csv"), "b": build_loader_block(tmp_path / "b.csv")},
        tasks=[{"name": "label", "head": "linear"}],
        split={"type": "random", "validation": 0.4, "test": 0.2},
        seed=seed,
    )
    prepared = prepare(config)
    split_of_row = {
        row: split_name
        for split_name in ("train", "validation", "test")
        for row in getattr(prepared.split, split_name).tolist()
    }
    keys = [np.asarray(value).tobytes() for value in prepared.corpus.inputs]
    splits_by_key: dict[bytes, set[str]] = {}
    for row, key in enumerate(keys):
        splits_by_key.setdefault(key, set()).add(split_of_row[row])
    assert len(splits_by_key) == 50
    assert all(len(splits) == 1 for splits in splits_by_key.values())
    assert {*split_of_row.values()} == {"train", "validation", "test"}


def test_test_input_in_another_training_set_is_reported(tmp_path: Path) -> None:
    train = sample_rows(30, 1, label="x")
    write_table(tmp_path / "a.csv", train)
    write_table(tmp_path / "b.csv", sample_rows(30, 2, label="x"))
    write_table(tmp_path / "b-test.csv", [*train[:2], *sample_rows(5, 3, label="x")])
    sets = {
        "a": build_loader_block(tmp_path / "a.csv"),
        "b": build_loader_block(tmp_path / "b.csv", tmp_path / "b-test.csv"),
    }
    reported_warnings = prepare(
        toy_config(tmp_path, data=None, data_sets=sets, tasks=[{"name": "label", "head": "linear"}])
    ).warnings
    assert (
        "test: 2 examples have the same input as training or validation examples, so scores are optimistic "
        "(such as 'b/1' in test and 'a/1' in training)"
    ) in reported_warnings


# ── data sets without examples ──


class ConfigurableLoader(LoaderSpec):
    """A loader with configurable splits and texts."""

    type: Literal["given"] = "given"
    parts: list[Literal["train", "validation", "test"]]
    column: str = "label"
    disclaimer: str = ""
    start: int = 0

    def load(self) -> Corpus:
        numbers = range(self.start, self.start + len(self.parts))
        return Corpus(
            ids=[str(number) for number in numbers],
            inputs=[np.array([number, number % 3], dtype=np.float32) for number in numbers],
            labels={self.column: ["ab"[number % 2] for number in numbers]},
            splits=self.parts,
            disclaimer=self.disclaimer,
            warnings=["looked at it"] if self.disclaimer else [],
        )


def test_data_set_without_training_examples_is_evaluated_and_never_sampled(tmp_path: Path) -> None:
    train, test = ConfigurableLoader(parts=["train"] * 40), ConfigurableLoader(parts=["test"] * 9, start=100)
    config = toy_config(tmp_path, tasks=[{"name": "label", "head": "linear"}], sampling="round-robin")
    config = config.model_copy(update={"data": None, "data_sets": {"train": train, "test": test}})
    prepared = prepare(config)
    assert prepared.warnings == ["data set 'test': no training example, so no batch is sampled from it"]
    batches = list_batches(config, prepared, 2)
    assert {prepared.corpus.sources[row] for batch in batches for row in batch.tolist()} == {"train"}
    assert len(prepared.split.test) == 9


def test_data_set_without_examples_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(MtlError, match="data set 'second': the loader 'given' found no example"):
        load_sources({"first": ConfigurableLoader(parts=["train"]), "second": ConfigurableLoader(parts=[])})
    with pytest.raises(MtlError, match=r"^the loader 'given' found no example"):
        load_sources({"data": ConfigurableLoader(parts=[])})
    blocks = build_two_table_blocks(tmp_path)
    (tmp_path / "down.csv").write_text("x,y,label\n")
    with pytest.raises(
        MtlError, match="task 'height': no training example has a label in the column 'label' of the data"
    ):
        prepare(toy_config(tmp_path, **blocks))
    (tmp_path / "down-test.csv").write_text("x,y,label\n")
    with pytest.raises(MtlError, match="data set 'down': the loader 'table' found no example"):
        prepare(toy_config(tmp_path, **blocks))


def test_file_error_is_reported_with_the_name_of_its_data_set(tmp_path: Path) -> None:
    blocks = build_two_table_blocks(tmp_path)
    (tmp_path / "down.csv").write_text("x,y,label\n1,2,low\n1,many,high\n")
    with pytest.raises(MtlError, match=r"data set 'down': .*down\.csv:3: column 'y': expected a number, found 'many'"):
        prepare(toy_config(tmp_path, **blocks))


def test_disclaimers_and_warnings_of_all_data_sets_are_combined() -> None:
    first, second = (
        ConfigurableLoader(parts=["train"], disclaimer="A sample."),
        ConfigurableLoader(parts=["train"], disclaimer="Another."),
    )
    corpus = load_sources({"one": first, "two": second, "three": first})
    assert corpus.disclaimer == "A sample. Another."
    assert corpus.warnings == [f"data set '{name}': looked at it" for name in ("one", "two", "three")]


def test_ids_are_unique_per_data_set() -> None:
    data_set = ConfigurableLoader(parts=["train", "train"])
    assert load_sources({"one": data_set, "two": data_set}).ids == ["one/0", "one/1", "two/0", "two/1"]
    assert load_sources({"data": data_set}).ids == ["0", "1"]


# ── the file ──


def load_error(folder: Path, **blocks: Any) -> str:
    path = write_experiment(folder, **blocks)
    with pytest.raises(MtlError) as error:
        load_experiment(path)
    return str(error.value)


def test_data_and_data_sets_are_exclusive(tmp_path: Path) -> None:
    message = load_error(tmp_path, data_sets={"a": {"type": "toy"}})
    assert "expected `data` (one data set) or `data_sets` (several by name), found both" in message
    assert "data: required, but missing" in load_error(tmp_path, data=None)
    assert "data: required, but missing" in load_error(tmp_path, data=None, data_sets={})


def test_unknown_data_set_of_a_task_is_reported(tmp_path: Path) -> None:
    message = load_error(
        tmp_path, data=None, data_sets={"train": {"type": "toy"}, "other": {"type": "toy"}},
        tasks=[{"name": "t0", "head": "linear"}, {"name": "t1", "head": "linear", "data": ["other", "tain"]}],
    )  # fmt: skip
    assert message.endswith("tasks.1.data.1: unknown data set 'tain'; did you mean 'train'? (data sets: other, train)")
    assert "toy.yaml:" in message
    single_message = load_error(tmp_path, tasks=[{"name": "t0", "head": "linear", "data": ["toy"]}])
    assert single_message.endswith("unknown data set 'toy' (data sets: data)")


def test_single_named_data_set_equals_an_unnamed_one(tmp_path: Path) -> None:
    tasks = [{"each": "*", "head": "linear", "mask": "exclude-labels", "data": ["only"]}]
    for name, blocks in (
        ("named", {"data": None, "data_sets": {"only": {"type": "toy"}}, "tasks": tasks}),
        ("plain", {}),
    ):
        run_experiment(toy_config(tmp_path, **blocks, backbone="identity"), tmp_path / name)
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("named", "plain")]
    assert len(files[0]) == len(files[1])
    ids = [[record["id"] for record in read_records(tmp_path / name)] for name in ("named", "plain")]
    assert ids[0] == ids[1]


# ── heads by name ──


def test_tasks_share_the_settings_of_a_named_head(tmp_path: Path) -> None:
    config = toy_config(
        tmp_path,
        heads={"small": {"type": "toy-grouped", "width": 3}, "plain": "linear"},
        tasks=[
            {"name": "t0", "head": "small", "mask": "exclude-labels"},
            {"name": "t1", "head": "plain", "mask": "exclude-labels"},
            {"each": "*", "head": "small", "mask": "exclude-labels"},
        ],
    )
    assert [task.head.type for task in config.tasks] == ["toy-grouped", "linear", "toy-grouped"]
    assert [getattr(task.head, "width", None) for task in config.tasks] == [3, None, 3]
    prepared, network, _ = toy_network(config)
    assert [[task.name for task in group.tasks] for group in prepared.groups] == [["t0", "t2"], ["t1"]]
    assert network.head_groups()[0].shared.out_features == 3  # type: ignore[union-attr]
    run_experiment(config, tmp_path / "run")
    assert [task.head for task in load_run(tmp_path / "run").config.tasks] == [task.head for task in config.tasks]


def test_settings_of_a_named_head_can_be_overridden(tmp_path: Path) -> None:
    tasks = [{"each": "*", "head": "small", "mask": "exclude-labels"}]
    path = write_experiment(tmp_path, heads={"small": {"type": "toy-grouped", "width": 3}}, tasks=tasks)
    assert load_experiment(path, ["heads.small.width=4"]).config.tasks[0].head.width == 4  # type: ignore[attr-defined]


def test_invalid_names_of_heads(tmp_path: Path) -> None:
    heads: dict[str, Any] = {"shared": {"type": "linear", "dropout": 0.1}}
    unknown_message = load_error(tmp_path, heads=heads, tasks=[{"each": "*", "head": "shraed"}])
    assert (
        "tasks.0.head: unknown head 'shraed'; did you mean 'shared'? (in `heads`: shared; installed: "
        in unknown_message
    )
    clash_message = load_error(tmp_path, heads={"linear": heads["shared"]}, tasks=[{"each": "*", "head": "linear"}])
    assert clash_message.endswith(
        "tasks.0.head: 'linear' is declared in `heads`, and is also the type of an installed head; "
        "rename the one in `heads`"
    )
    heads["shared"]["dropuot"] = 0.1
    key_message = load_error(tmp_path, heads=heads, tasks=[{"name": name, "head": "shared"} for name in ("t0", "t1")])
    assert len(key_message.splitlines()) == 1  # once, not once per task
    assert "heads.shared.dropuot: unknown key 'dropuot'; did you mean 'dropout'?" in key_message


# ── the command line ──


def test_predict_and_evaluate_a_file_of_one_data_set(report: RunReport, folder: Path, mtl: Any) -> None:
    file = folder / "down-test.csv"
    predicted = mtl("predict", report.path, "--input", file, "--data-set", "down", "--json")
    predictions = [json.loads(line) for line in predicted.stdout.splitlines()]
    assert len(predictions) == 22
    assert all({*record["tasks"]} == {"side", "height"} for record in predictions)
    assert all("gold" in record["tasks"]["height"] for record in predictions)
    evaluation = json.loads(mtl("evaluate", report.path, "--data", file, "--data-set", "down", "--json").stdout)
    assert evaluation["tasks"]["height"] == read_metrics(report.path)["splits"]["test"]["tasks"]["height"]
    assert evaluation["tasks"]["side"]["n"] == 0
    for options in (["--input", file], ["--data", file]):
        command = "predict" if options[0] == "--input" else "evaluate"
        failed = mtl(command, report.path, *options, "--data-set", "dwn")
        assert failed.returncode == 2
        assert failed.stderr.startswith("error: unknown data set 'dwn'; did you mean 'down'?")
    without_file = mtl("evaluate", report.path, "--data-set", "down")
    assert without_file.stderr == "error: --data-set selects the data set of the --data file; give --data FILE too\n"
    without_data_set = mtl("evaluate", report.path, "--data", file)
    assert (
        "the run has several data sets; name the one that the file belongs to with --data-set NAME"
        in without_data_set.stderr
    )
