"""Error messages for auxiliary tasks that cannot be built."""

import re
from pathlib import Path
from typing import Any

import pytest
import spacy
from sentences import MOOD, ROWS, build_block, prepare_data, write_experiment, write_rows

from mtl_core.errors import MtlError


def write_words(folder: Path) -> None:
    (folder / "words.txt").write_text("good\nbad\n")
    (folder / "empty.txt").write_text("# nothing\n\n")
    (folder / "two.txt").write_text("good\nvery good\n")
    (folder / "latin.txt").write_bytes("na\xefve\n".encode("latin-1"))
    (folder / "strange.txt").write_text("xyzzy\n")
    spacy.blank("en").to_disk(folder / "untagged")


CONFIG_ERRORS: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt type": (
        {"type": "word-freqency"},
        "auxiliary.0.type: unknown auxiliary task 'word-freqency'; did you mean 'word-frequency'?",
    ),
    "a misspelt key": (
        {"type": "sentence-length", "bin": 3},
        "auxiliary.0.bin: unknown key 'bin'; did you mean 'bins'?",
    ),
    "one bin": ({"type": "sentence-length", "bins": 1}, "auxiliary.0.bins"),
    "a negative weight": ({"type": "word-frequency", "weight": -1.0}, "auxiliary.0.weight"),
    "no pipeline": ({"type": "part-of-speech"}, "auxiliary.0.pipeline: required, but missing"),
    "an adversary without label or source": (
        {"type": "adversarial"},
        "expected `label: COLUMN` or `source: true`, found neither",
    ),
    "an adversary with label and source": (
        {"type": "adversarial", "label": "topic", "source": True},
        "expected `label: COLUMN` or `source: true`, found both",
    ),
    "no column": ({"type": "auxiliary-target"}, "auxiliary.0.label: required, but missing"),
    "a share of more than half": ({"type": "masked-tokens", "mask_ratio": 0.9}, "auxiliary.0.mask_ratio"),
    "a word file that is not there": (
        {"type": "opinion-words", "positive_words": "wrods.txt"},
        "auxiliary.0.positive_words: no such file: ",
    ),
}


@pytest.mark.parametrize("case", CONFIG_ERRORS)
def test_config_errors_are_reported_before_data_is_loaded(tmp_path: Path, case: str, mtl: Any) -> None:
    rule, message = CONFIG_ERRORS[case]
    write_words(tmp_path)
    result = mtl("validate", write_experiment(tmp_path, [rule]))
    assert result.returncode == 2
    assert message in " ".join(result.stderr.split())


DATA_ERRORS: dict[str, tuple[dict[str, Any], str]] = {
    "no such pipeline": (
        {"type": "part-of-speech", "pipeline": "no_such_pipeline"},
        "pipeline: the spaCy pipeline 'no_such_pipeline' cannot be loaded \\(installed: .*spacy download",
    ),
    "no folder of a pipeline": (
        {"type": "part-of-speech", "pipeline": "./nowhere"},
        "pipeline: ./nowhere is not the folder of a spaCy pipeline",
    ),
    "a blank pipeline": ({"type": "part-of-speech", "pipeline": "blank:en"}, "'blank:en' has no tagger"),
    "a pipeline without a tagger": (
        {"type": "part-of-speech", "pipeline": "FOLDER/untagged"},
        "returns no coarse tags \\(its components: none\\); part-of-speech tags need a pipeline with a tagger",
    ),
    "misspelt label names": (
        {"type": "opinion-words", "positive": ["postive"]},
        "positive: no training example has one of the labels postive and none of the opposite; did you mean "
        "'positive'\\? \\(labels of mood: negative, neutral, positive\\); name the labels, or set both",
    ),
    "words that are all too rare": (
        {"type": "opinion-words", "min_count": 50},
        "no training word is associated with positive labels: it needs at least 50 occurrences",
    ),
    "words that no text contains": (
        {"type": "opinion-words", "positive_words": "strange.txt", "negative_words": "words.txt"},
        "no training input contains one of the 1 positive words \\(xyzzy\\)",
    ),
    "a word file without words": (
        {"type": "opinion-words", "positive_words": "empty.txt", "negative_words": "words.txt"},
        "empty.txt: contains no words",
    ),
    "two words on a line": (
        {"type": "opinion-words", "positive_words": "words.txt", "negative_words": "two.txt"},
        "two.txt:2: expected one word per line, found 'very good'",
    ),
    "a word file of another encoding": (
        {"type": "opinion-words", "positive_words": "latin.txt", "negative_words": "words.txt"},
        "latin.txt: not UTF-8",
    ),
    "a main task that is not there": (
        {"type": "opinion-words", "main_tasks": ["mod"]},
        "main_tasks: unknown task 'mod'; did you mean 'mood'\\? \\(tasks: mood\\)",
    ),
    "an absent label that never occurs": (
        {"type": "aspect-presence", "absent_labels": ["neutrl"]},
        "absent_labels: no training example has one of the labels neutrl; did you mean 'neutral'\\?, "
        "so every task is always",
    ),
    "a column that is not there": (
        {"type": "auxiliary-target", "label": "topik"},
        "label: the data has no column 'topik'; did you mean 'topic'\\? \\(columns: mood, topic\\)",
    ),
    "a kind that needs no column": (
        {"type": "auxiliary-target", "label": "topic", "kind": "bag-of-words"},
        "kind: 'bag-of-words' predicts the inputs, so it needs no column",
    ),
    "a kind that does not fit the labels": (
        {"type": "adversarial", "label": "topic", "kind": "regression"},
        "the label 'food' is not a number",
    ),
    "one data set": ({"type": "adversarial", "source": True}, "source: the experiment has one data set"),
}


@pytest.mark.parametrize("case", DATA_ERRORS)
def test_data_errors_are_reported_with_the_reason(tmp_path: Path, case: str) -> None:
    rule, message = DATA_ERRORS[case]
    write_words(tmp_path)
    rule = {key: value.replace("FOLDER", str(tmp_path)) if key == "pipeline" else value for key, value in rule.items()}
    with pytest.raises(MtlError) as caught:
        prepare_data(tmp_path, {"type": "sentence-length", "name": "before"}, rule)
    assert re.search(message, str(caught.value)), caught.value
    assert str(caught.value).startswith(f"auxiliary.1 ('{rule['type']}'): ")


def test_command_line_reports_the_error_in_one_line(tmp_path: Path, mtl: Any) -> None:
    result = mtl(
        "run",
        write_experiment(tmp_path, [{"type": "auxiliary-target", "label": "topik"}]),
        "--out",
        tmp_path / "run",
    )
    assert result.returncode == 2
    assert "auxiliary.0 ('auxiliary-target'): label: the data has no column 'topik'" in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "run").exists()


def test_texts_that_are_equally_long_have_no_bins(tmp_path: Path) -> None:
    write_rows(tmp_path, [("train", text, "positive", "x") for text in ("a b", "c d", "e f")])
    kind = {"type": "classification", "classes": ["positive", "negative"]}
    with pytest.raises(MtlError, match=r"all training inputs are equally long \(2 words\)"):
        prepare_data(tmp_path, build_block("sentence-length"), tasks=[{**MOOD, "kind": kind}])


def test_aspect_presence_requires_complete_labels(tmp_path: Path) -> None:
    rows = [(part, text, mood if index % 2 else "", "" if index % 2 else topic)
            for index, (part, text, mood, topic) in enumerate(ROWS)]  # fmt: skip
    write_rows(tmp_path, rows)
    kind = {"type": "classification", "classes": ["positive", "negative", "food", "sport", "travel"]}
    tasks = [{**MOOD, "name": name, "kind": kind} for name in ("mood", "topic")]
    with pytest.raises(
        MtlError, match=r"lacks a label of one of the tasks \(mood, topic\).*`main_tasks: .*missing: absent"
    ):
        prepare_data(tmp_path, build_block("aspect-presence", missing="unknown"), tasks=tasks)


def test_column_without_training_labels(tmp_path: Path) -> None:
    write_rows(tmp_path, [(part, text, mood, topic if part == "test" else "") for part, text, mood, topic in ROWS])
    with pytest.raises(
        MtlError, match=r"\('auxiliary-target'\): no training example has a label in the column 'topic'"
    ):
        prepare_data(tmp_path, build_block("auxiliary-target"))


def test_duplicate_name_is_rejected(tmp_path: Path, mtl: Any) -> None:
    duplicate_blocks = [build_block("auxiliary-target"), build_block("auxiliary-target")]
    result = mtl("validate", write_experiment(tmp_path, duplicate_blocks))
    assert result.returncode == 2
    assert "two auxiliary tasks are named 'auxiliary-target'" in result.stderr
    with pytest.raises(MtlError, match="auxiliary: 'mood' is also the name of another task"):
        prepare_data(tmp_path, {**build_block("auxiliary-target"), "name": "mood"})


def test_unsuitable_head_is_reported(tmp_path: Path) -> None:
    with pytest.raises(MtlError, match=r"task 'word-frequency': .*has one label per token, but the head 'linear'"):
        prepare_data(tmp_path, build_block("word-frequency", head="linear"))


def test_labels_of_words_need_features_of_words(tmp_path: Path, mtl: Any) -> None:
    path = write_experiment(tmp_path, [build_block("word-frequency")], backbone={"type": "lstm", "hidden_dim": 4})
    result = mtl("run", path, "--out", tmp_path / "run")
    assert result.returncode == 2
    assert "the head 'token-linear' returns one output per token, but the backbone one vector" in result.stderr
