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
from mtl_core.config.load import dump_config, load_experiment
from mtl_core.config.schema import experiment_schema
from mtl_core.config.yaml_file import parse_scalar, read_yaml
from mtl_core.plugins import load_plugins
from mtl_core.registry import Registry
from mtl_core.runs.run import SilentView, run_experiment

Mtl = Callable[..., CompletedProcess[str]]
FOLDER = Path(mtl_text.__file__).parent
TEST = FOLDER / "sample" / "notes-test.jsonl"
TRAIN = TEST.with_name("notes-train.jsonl")
COLUMNS = ["place", "stars", "nights", "tags", "recommended", "pos", "tone"]
PARTS_OF_SPEECH = {"NOUN", "VERB", "ADJ", "ADV", "PRON", "DET", "ADP", "NUM", "CONJ", "PART", "PUNCT"}
CONTENT = {"NOUN", "VERB", "ADJ", "ADV"}
TAGS = ["cheap", "clean", "friendly", "location", "noisy"]
TASKS = ["place", "recommended", "stars", "tags", "nights", "pos", "tone", "words", "hidden-words"]
MAIN_FIGURES = {
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


def notes(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def known(column: str, path: Path) -> list[Any]:
    """Return the labels of a column as a flat list: numbers, classes, or the items of lists."""
    labels = [note[column] for note in notes(path) if note[column] is not None]
    flat = [one for label in labels for one in (label if isinstance(label, list) else [label])]
    return [label for label in flat if label is not None]


def json_of(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def records_of(run: Path) -> list[dict[str, Any]]:
    return [record for record in notes(run / "predictions.jsonl") if record["split"] == "test"]


def answers(result: CompletedProcess[str]) -> list[dict[str, Any]]:
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, mtl_early: Mtl) -> Path:
    """A short run."""
    path = tmp_path_factory.mktemp("runs") / "every"
    result = mtl_early("run", "every-kind", "--out", path, "--set", QUICK[0])
    assert result.returncode == 0, result.stderr
    assert "sample data, written for this project" in result.stdout + result.stderr
    return path


# ── the sample data ──


def test_every_note_stands_there_once_and_lists_are_as_long_as_its_words() -> None:
    every = [*notes(TRAIN), *notes(TEST)]
    texts = {" ".join(note["words"]).lower() for note in every}
    assert len(texts) == len(every) == 300
    for note in every:
        assert list(note) == ["words", *COLUMNS]
        assert all(word == word.strip() != "" for word in note["words"])
        for column in ("pos", "tone"):
            assert note[column] is None or len(note[column]) == len(note["words"]), note["words"]


def test_labels_are_what_the_experiment_says() -> None:
    for path in (TRAIN, TEST):
        assert set(known("place", path)) == {"campsite", "flat", "hotel"}
        assert set(known("recommended", path)) == {"no", "yes"}
        assert set(known("stars", path)) == {1, 2, 3, 4, 5}
        assert set(known("tags", path)) == set(TAGS)
        assert set(known("pos", path)) == PARTS_OF_SPEECH
        assert set(known("tone", path)) == {-2, -1, 0, 1, 2}
        assert all(1 <= nights <= 14 for nights in known("nights", path))


def test_content_words_have_a_tone_and_no_others() -> None:
    both = [note for path in (TRAIN, TEST) for note in notes(path) if note["pos"] and note["tone"]]
    assert len(both) > 100
    for note in both:
        toned = [tone is not None for tone in note["tone"]]
        assert toned == [part in CONTENT for part in note["pos"]], note["words"]


def test_words_of_one_part_of_speech_are_tagged_alike_everywhere() -> None:
    tagged = {
        (word.lower(), tag)
        for path in (TRAIN, TEST)
        for note in notes(path)
        for word, tag in zip(note["words"], note["pos"] or [], strict=bool(note["pos"]))
    }
    for word, tag in (("flat", "NOUN"), ("the", "DET"), ("our", "PRON"), ("not", "PART"), ("was", "VERB")):
        assert {other for one, other in tagged if one == word} == {tag}
    assert all(tag == "PUNCT" for word, tag in tagged if not word[0].isalpha() and word != "'s")


def test_a_good_share_of_the_training_labels_is_missing() -> None:
    train = notes(TRAIN)
    for column in COLUMNS:
        assert 0.15 < sum(note[column] is None for note in train) / len(train) < 0.4, column
    assert sum(all(note[column] is None for column in COLUMNS) for note in train) == 8


# ── the experiment ──


def test_it_is_valid_and_listed(mtl: Mtl) -> None:
    valid = mtl("validate", "every-kind")
    assert valid.returncode == 0, valid.stderr
    assert f"tasks: {', '.join(TASKS)}; auxiliary tasks: reconstruction" in valid.stdout
    assert "every-kind" in mtl("plugins").stdout
    validator = Draft7Validator(experiment_schema(Registry(load_plugins())))
    validator.validate(read_yaml(FOLDER / "experiments" / "every-kind.yaml").value)
    validator.validate(parse_scalar(dump_config(load_experiment("every-kind").config)))


def test_it_has_a_task_of_every_kind_of_the_core() -> None:
    config = load_experiment("every-kind").config
    kinds = {task.kind.type for task in config.tasks} | {auxiliary.type for auxiliary in config.auxiliary}
    elsewhere = {"detect-and-classify"}  # needs aspect labels: see `absa-mentions`
    assert kinds | elsewhere == {kind.model_fields["type"].default for kind in mtl_task_kinds()}


# ── the run ──


def test_every_label_is_counted_and_null_is_none(run: Path) -> None:
    data = json_of(run / "metrics.json")["data"]
    assert sum(data["examples"].values()) == 300, "notes without any label train the tasks that need no labels"
    counts = data["label_counts"]
    for column in COLUMNS:
        trained = Counter(counts["train"][column]) + Counter(counts["validation"][column])
        for found, path in ((trained, TRAIN), (counts["test"][column], TEST)):
            labels = known(column, path)
            expected = {"labels": len(labels)} if column in {"nights", "tone"} else Counter(map(str, labels))
            assert found == expected, column
    assert counts["test"].keys() == set(COLUMNS)


def test_every_kind_is_measured_beside_its_baseline(run: Path) -> None:
    splits = json_of(run / "metrics.json")["splits"]
    assert list(splits["test"]["tasks"]) == TASKS
    measured = [
        *splits["test"]["tasks"].items(),
        ("reconstruction", splits["validation"]["auxiliary"]["reconstruction"]),
    ]
    for name, task in measured:
        figure = MAIN_FIGURES.get(name, "accuracy")
        prefix = "majority" if figure == "accuracy" else "baseline"
        assert task["n"] > 0
        assert isinstance(task[figure], float), name
        assert isinstance(task[f"{prefix}_{figure}"], float), name
    tasks = splits["test"]["tasks"]
    for name in ("place", "recommended", "stars", "nights", "pos", "tone"):
        assert tasks[name]["n"] == len(known(name, TEST)), name
    assert tasks["tags"]["n"] == sum(note["tags"] is not None for note in notes(TEST))
    assert tasks["words"]["n"] == 61


def test_evaluating_the_test_file_gives_the_figures_of_the_run(run: Path, mtl: Mtl) -> None:
    before = json_of(run / "metrics.json")["splits"]["test"]
    for result in (mtl("evaluate", run, "--json"), mtl("evaluate", run, "--json", "--data", TEST)):
        assert result.returncode == 0, result.stderr
        after = json.loads(result.stdout)
        for name, figure in MAIN_FIGURES.items():
            assert after["tasks"][name]["n"] == before["tasks"][name]["n"]
            assert after["tasks"][name][figure] == pytest.approx(before["tasks"][name][figure], abs=1e-6), name


def test_notes_without_labels_measure_only_what_needs_none(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    bare = [{**note, **dict.fromkeys(COLUMNS)} for note in notes(TEST)[:10]]
    (tmp_path / "bare.jsonl").write_text("".join(json.dumps(note) + "\n" for note in bare), encoding="utf-8")
    [report] = [json.loads(mtl("evaluate", run, "--json", "--data", tmp_path / "bare.jsonl").stdout)]
    for column in COLUMNS:
        assert report["tasks"][column]["n"] == 0
        assert report["tasks"][column][MAIN_FIGURES[column]] is None
    assert report["tasks"]["words"]["n"] == 10
    assert report["tasks"]["hidden-words"]["n"] > 0


# ── predictions ──


def test_every_kind_answers_a_new_text_in_its_own_way(run: Path, mtl: Mtl) -> None:
    words = ["We", "spent", "three", "nights", "in", "a", "clean", "and", "quiet", "flat", "."]
    [record] = answers(mtl("predict", run, "--json", " ".join(words)))
    assert record["tokens"] == words
    said = {name: task["label"] for name, task in record["tasks"].items()}
    assert list(said) == TASKS, "the auxiliary task has no predictions"
    assert said["place"] in {"campsite", "flat", "hotel"}
    assert said["recommended"] in {"no", "yes"}
    assert said["stars"] in {"1", "2", "3", "4", "5"}
    chances = record["tasks"]["tags"]["probabilities"]
    assert said["tags"] == [tag for tag in TAGS if chances[tag] >= 0.4]
    assert isinstance(said["nights"], float)
    assert len(said["pos"]) == len(said["tone"]) == len(said["hidden-words"]) == len(words)
    assert set(said["pos"]) <= PARTS_OF_SPEECH
    assert all(isinstance(tone, float) for tone in said["tone"])
    assert len(set(said["words"])) == 10


def test_answers_are_readable(run: Path, mtl: Mtl) -> None:
    text, *lines = mtl("predict", run, "A clean flat .").stdout.splitlines()
    assert text == "A clean flat ."
    shown = {line.split()[0]: line.split(maxsplit=1)[1] for line in lines}
    assert list(shown) == TASKS
    for name in ("pos", "tone", "hidden-words"):
        assert [pair.rsplit("/", 1)[0] for pair in shown[name].split()] == ["A", "clean", "flat", "."]


def test_a_file_of_the_run_and_one_of_texts_are_predicted_alike(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    before = records_of(run)
    lines = [json.dumps({"id": f"n{note['id']}", "text": note["text"]}) for note in before]
    (tmp_path / "texts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    own = answers(mtl("predict", run, "--json", "--input", TEST))
    typed = answers(mtl("predict", run, "--json", "--input", tmp_path / "texts.jsonl"))
    assert [record["id"] for record in typed] == [f"n{record['id']}" for record in before]
    for record, one, other in zip(before, own, typed, strict=True):
        assert one["tokens"] == other["tokens"] == record["tokens"]
        for name, task in record["tasks"].items():
            for found in (one["tasks"][name], other["tasks"][name]):
                assert found["probabilities"] == pytest.approx(task["probabilities"], abs=1e-4)
                if name in {"nights", "tone"}:
                    assert found["label"] == pytest.approx(task["label"], abs=1e-3)


# ── resuming and quality ──


class CutOff(SilentView):
    """Callback that interrupts the run at the start of the second epoch."""

    def epoch_started(self, epoch: int, epochs: int, batches: int, done: int) -> None:
        if epoch == 2:
            raise KeyboardInterrupt


def test_a_run_that_was_cut_off_goes_on_to_the_same_bits(run: Path, tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        run_experiment(load_experiment("every-kind", QUICK).config, out, CutOff())
    assert not (out / "metrics.json").exists()
    resumed = mtl("resume", out)
    assert resumed.returncode == 0, resumed.stderr
    for name in ("predictions.jsonl", "history.csv", "model.safetensors"):
        assert (out / name).read_bytes() == (run / name).read_bytes(), name


@pytest.mark.slow
def test_every_kind_is_learned(tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "run"
    run_experiment(load_experiment("every-kind").config, out)
    tasks = json_of(out / "metrics.json")["splits"]["test"]["tasks"]
    for name, figure in MAIN_FIGURES.items():
        prefix = "majority" if figure == "accuracy" else "baseline"
        value, baseline = tasks[name][figure], tasks[name][f"{prefix}_{figure}"]
        better = baseline - value if figure in {"mae", "rank_distance"} else value - baseline
        assert better > 0.02, name
    assert tasks["pos"]["accuracy"] > 0.85
    assert tasks["place"]["accuracy"] > 0.6
    [record] = answers(mtl("predict", out, "--json", "The hotel was dirty and the staff were rude ."))
    said = {name: task["label"] for name, task in record["tasks"].items()}
    assert (said["place"], said["recommended"]) == ("hotel", "no")
    assert said["pos"] == ["DET", "NOUN", "VERB", "ADJ", "CONJ", "DET", "NOUN", "VERB", "ADJ", "PUNCT"]
