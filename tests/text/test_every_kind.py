"""Tests of the packaged experiment `every-kind` through the command line: all task kinds in one network."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from jsonschema import Draft7Validator

import mtl_text
from mtl_core.builtins import mtl_task_kinds
from mtl_core.config.json_schema import build_experiment_schema
from mtl_core.config.load import dump_config, load_experiment
from mtl_core.config.yaml_file import parse_scalar, read_yaml
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry
from mtl_core.runs.run import run_experiment
from mtl_core.training.callback import NullCallback

pytestmark = pytest.mark.usefixtures("placeholder_reports")

Mtl = Callable[..., CompletedProcess[str]]
FOLDER = Path(mtl_text.__file__).parent
TEST_PATH = FOLDER / "sample" / "notes-test.jsonl"
TRAIN_PATH = TEST_PATH.with_name("notes-train.jsonl")
COLUMNS = ["place", "stars", "nights", "tags", "recommended", "pos", "tone"]
PARTS_OF_SPEECH = {"NOUN", "VERB", "ADJ", "ADV", "PRON", "DET", "ADP", "NUM", "CONJ", "PART", "PUNCT"}
CONTENT_TAGS = {"NOUN", "VERB", "ADJ", "ADV"}
TAGS = ["cheap", "clean", "friendly", "location", "noisy"]
TASKS = ["place", "recommended", "stars", "tags", "nights", "pos", "tone", "words", "hidden-words"]
MAIN_METRICS = {
    "place": "accuracy",
    "recommended": "accuracy",
    "stars": "rank_distance",
    "tags": "micro_f1",
    "nights": "mae",
    "pos": "accuracy",
    "tone": "mae",
    "words": "micro_f1",
    "hidden-words": "accuracy",
}
QUICK = ["training.epochs=2"]


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def list_labels(column: str, path: Path) -> list[Any]:
    """Return the labels of a column as a flat list: numbers, classes, or the items of lists."""
    labels = [note[column] for note in read_jsonl(path) if note[column] is not None]
    flat_labels = [item for label in labels for item in (label if isinstance(label, list) else [label])]
    return [label for label in flat_labels if label is not None]


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def read_test_predictions(run: Path) -> list[dict[str, Any]]:
    return [record for record in read_jsonl(run / "predictions.jsonl") if record["split"] == "test"]


def parse_predictions(result: CompletedProcess[str]) -> list[dict[str, Any]]:
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, mtl_uncaptured: Mtl) -> Path:
    """A short run."""
    path = tmp_path_factory.mktemp("runs") / "every"
    result = mtl_uncaptured("run", "every-kind", "--out", path, "--set", QUICK[0])
    assert result.returncode == 0, result.stderr
    assert "sample data, written for this project" in result.stdout + result.stderr
    return path


# ── the sample data ──


def test_notes_are_unique_and_have_one_label_per_word() -> None:
    all_notes = [*read_jsonl(TRAIN_PATH), *read_jsonl(TEST_PATH)]
    texts = {" ".join(note["words"]).lower() for note in all_notes}
    assert len(texts) == len(all_notes) == 300
    for note in all_notes:
        assert list(note) == ["words", *COLUMNS]
        assert all(word == word.strip() != "" for word in note["words"])
        for column in ("pos", "tone"):
            assert note[column] is None or len(note[column]) == len(note["words"]), note["words"]


def test_labels_are_the_classes_of_the_experiment() -> None:
    for path in (TRAIN_PATH, TEST_PATH):
        assert set(list_labels("place", path)) == {"campsite", "flat", "hotel"}
        assert set(list_labels("recommended", path)) == {"no", "yes"}
        assert set(list_labels("stars", path)) == {1, 2, 3, 4, 5}
        assert set(list_labels("tags", path)) == set(TAGS)
        assert set(list_labels("pos", path)) == PARTS_OF_SPEECH
        assert set(list_labels("tone", path)) == {-2, -1, 0, 1, 2}
        assert all(1 <= nights <= 14 for nights in list_labels("nights", path))


def test_only_content_words_have_a_tone() -> None:
    labelled_notes = [
        note for path in (TRAIN_PATH, TEST_PATH) for note in read_jsonl(path) if note["pos"] and note["tone"]
    ]
    assert len(labelled_notes) > 100
    for note in labelled_notes:
        has_tone = [tone is not None for tone in note["tone"]]
        assert has_tone == [part in CONTENT_TAGS for part in note["pos"]], note["words"]


def test_part_of_speech_tags_are_consistent() -> None:
    tagged = {
        (word.lower(), tag)
        for path in (TRAIN_PATH, TEST_PATH)
        for note in read_jsonl(path)
        for word, tag in zip(note["words"], note["pos"] or [], strict=bool(note["pos"]))
    }
    for word, tag in (("flat", "NOUN"), ("the", "DET"), ("our", "PRON"), ("not", "PART"), ("was", "VERB")):
        assert {tagged_as for tagged_word, tagged_as in tagged if tagged_word == word} == {tag}
    assert all(tag == "PUNCT" for word, tag in tagged if not word[0].isalpha() and word != "'s")


def test_training_labels_are_partially_missing() -> None:
    train = read_jsonl(TRAIN_PATH)
    for column in COLUMNS:
        assert 0.15 < sum(note[column] is None for note in train) / len(train) < 0.4, column
    assert sum(all(note[column] is None for column in COLUMNS) for note in train) == 8


# ── the experiment ──


def test_experiment_is_valid_and_available(mtl: Mtl) -> None:
    valid = mtl("validate", "every-kind")
    assert valid.returncode == 0, valid.stderr
    assert f"tasks: {', '.join(TASKS)}; auxiliary tasks: reconstruction" in valid.stdout
    assert "every-kind" in mtl("plugins").stdout
    validator = Draft7Validator(build_experiment_schema(Registry(load_plugins())))
    validator.validate(read_yaml(FOLDER / "experiments" / "every-kind.yaml").value)
    validator.validate(parse_scalar(dump_config(load_experiment("every-kind").config)))


def test_experiment_covers_every_task_kind_of_the_core() -> None:
    config = load_experiment("every-kind").config
    kinds = {task.kind.type for task in config.tasks} | {auxiliary.type for auxiliary in config.auxiliary}
    excluded_kinds = {"detect-and-classify", "segmentation", "dense-regression"}  # need aspect labels, images
    assert kinds | excluded_kinds == {kind.model_fields["type"].default for kind in mtl_task_kinds()}


# ── the run ──


def test_label_counts_exclude_null(run: Path) -> None:
    data = read_json(run / "metrics.json")["data"]
    assert sum(data["examples"].values()) == 300, "notes without any label train the tasks that need no labels"
    counts = data["label_counts"]
    for column in COLUMNS:
        training_counts = Counter(counts["train"][column]) + Counter(counts["validation"][column])
        for label_counts, path in ((training_counts, TRAIN_PATH), (counts["test"][column], TEST_PATH)):
            labels = list_labels(column, path)
            expected = {"labels": len(labels)} if column in {"nights", "tone"} else Counter(map(str, labels))
            assert label_counts == expected, column
    assert counts["test"].keys() == set(COLUMNS)


def test_every_task_has_its_metric_and_baseline(run: Path) -> None:
    splits = read_json(run / "metrics.json")["splits"]
    assert list(splits["test"]["tasks"]) == TASKS
    task_metrics = [
        *splits["test"]["tasks"].items(),
        ("reconstruction", splits["validation"]["auxiliary"]["reconstruction"]),
    ]
    for name, task in task_metrics:
        metric = MAIN_METRICS.get(name, "accuracy")
        prefix = "majority" if metric == "accuracy" else "baseline"
        assert task["n"] > 0
        assert isinstance(task[metric], float), name
        assert isinstance(task[f"{prefix}_{metric}"], float), name
    tasks = splits["test"]["tasks"]
    for name in ("place", "recommended", "stars", "nights", "pos", "tone"):
        assert tasks[name]["n"] == len(list_labels(name, TEST_PATH)), name
    assert tasks["tags"]["n"] == sum(note["tags"] is not None for note in read_jsonl(TEST_PATH))
    assert tasks["words"]["n"] == 61


def test_evaluate_reproduces_the_metrics_of_the_run(run: Path, mtl: Mtl) -> None:
    run_metrics = read_json(run / "metrics.json")["splits"]["test"]
    for result in (mtl("evaluate", run, "--json"), mtl("evaluate", run, "--json", "--data", TEST_PATH)):
        assert result.returncode == 0, result.stderr
        evaluated_metrics = json.loads(result.stdout)
        for name, metric in MAIN_METRICS.items():
            assert evaluated_metrics["tasks"][name]["n"] == run_metrics["tasks"][name]["n"]
            assert evaluated_metrics["tasks"][name][metric] == pytest.approx(
                run_metrics["tasks"][name][metric], abs=1e-6
            ), name


def test_unlabelled_notes_evaluate_only_self_supervised_tasks(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    unlabelled_notes = [{**note, **dict.fromkeys(COLUMNS)} for note in read_jsonl(TEST_PATH)[:10]]
    (tmp_path / "bare.jsonl").write_text(
        "".join(json.dumps(note) + "\n" for note in unlabelled_notes), encoding="utf-8"
    )
    [report] = [json.loads(mtl("evaluate", run, "--json", "--data", tmp_path / "bare.jsonl").stdout)]
    for column in COLUMNS:
        assert report["tasks"][column]["n"] == 0
        assert report["tasks"][column][MAIN_METRICS[column]] is None
    assert report["tasks"]["words"]["n"] == 10
    assert report["tasks"]["hidden-words"]["n"] > 0


# ── predictions ──


def test_predictions_for_a_new_text_per_task_kind(run: Path, mtl: Mtl) -> None:
    words = ["We", "spent", "three", "nights", "in", "a", "clean", "and", "quiet", "flat", "."]
    [record] = parse_predictions(mtl("predict", run, "--json", " ".join(words)))
    assert record["tokens"] == words
    labels = {name: task["label"] for name, task in record["tasks"].items()}
    assert list(labels) == TASKS, "the auxiliary task has no predictions"
    assert labels["place"] in {"campsite", "flat", "hotel"}
    assert labels["recommended"] in {"no", "yes"}
    assert labels["stars"] in {"1", "2", "3", "4", "5"}
    probabilities = record["tasks"]["tags"]["probabilities"]
    assert labels["tags"] == [tag for tag in TAGS if probabilities[tag] >= 0.4]
    assert isinstance(labels["nights"], float)
    assert len(labels["pos"]) == len(labels["tone"]) == len(labels["hidden-words"]) == len(words)
    assert set(labels["pos"]) <= PARTS_OF_SPEECH
    assert all(isinstance(tone, float) for tone in labels["tone"])
    assert len(set(labels["words"])) == 10


def test_printed_predictions_per_word(run: Path, mtl: Mtl) -> None:
    text, *lines = mtl("predict", run, "A clean flat .").stdout.splitlines()
    assert text == "A clean flat ."
    predictions = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert list(predictions) == TASKS
    for name in ("pos", "tone", "hidden-words"):
        assert [pair.rsplit("/", 1)[0] for pair in predictions[name].split()] == ["A", "clean", "flat", "."]


def test_predictions_for_files_equal_those_of_the_run(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    run_records = read_test_predictions(run)
    lines = [json.dumps({"id": f"n{note['id']}", "text": note["text"]}) for note in run_records]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    labelled_records = parse_predictions(mtl("predict", run, "--json", "--input", TEST_PATH))
    text_records = parse_predictions(mtl("predict", run, "--json", "--input", tmp_path / "texts.jsonl"))
    assert [record["id"] for record in text_records] == [f"n{record['id']}" for record in run_records]
    for record, labelled_record, text_record in zip(run_records, labelled_records, text_records, strict=True):
        assert labelled_record["tokens"] == text_record["tokens"] == record["tokens"]
        for name, task in record["tasks"].items():
            for prediction in (labelled_record["tasks"][name], text_record["tasks"][name]):
                assert prediction["probabilities"] == pytest.approx(task["probabilities"], abs=1e-4)
                if name in {"nights", "tone"}:
                    assert prediction["label"] == pytest.approx(task["label"], abs=1e-3)


# ── resuming and quality ──


class InterruptingCallback(NullCallback):
    """Callback that interrupts the run at the start of the second epoch."""

    def on_epoch_start(self, epoch: int, epochs: int, batches: int, completed_batches: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt


def test_resumed_run_is_bit_identical(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(load_experiment("every-kind", QUICK).config, out, InterruptingCallback())
    assert not (out / "metrics.json").exists()
    resumed = mtl("resume", out)
    assert resumed.returncode == 0, resumed.stderr
    for name in ("predictions.jsonl", "history.csv", "model.safetensors"):
        assert (out / name).read_bytes() == (run / name).read_bytes(), name


@pytest.mark.slow
def test_every_task_beats_its_baseline(tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "run"
    run_experiment(load_experiment("every-kind").config, out)
    tasks = read_json(out / "metrics.json")["splits"]["test"]["tasks"]
    for name, metric in MAIN_METRICS.items():
        prefix = "majority" if metric == "accuracy" else "baseline"
        value, baseline = tasks[name][metric], tasks[name][f"{prefix}_{metric}"]
        improvement = baseline - value if metric in {"mae", "rank_distance"} else value - baseline
        assert improvement > 0.02, name
    assert tasks["pos"]["accuracy"] > 0.85
    assert tasks["place"]["accuracy"] > 0.6
    [record] = parse_predictions(mtl("predict", out, "--json", "The hotel was dirty and the staff were rude ."))
    labels = {name: task["label"] for name, task in record["tasks"].items()}
    assert (labels["place"], labels["recommended"]) == ("hotel", "no")
    assert labels["pos"] == ["DET", "NOUN", "VERB", "ADJ", "CONJ", "DET", "NOUN", "VERB", "ADJ", "PUNCT"]
