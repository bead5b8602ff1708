"""Invalid tasks on the command line: exit code 2, one message with its location, no files left."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
import yaml

Mtl = Callable[..., CompletedProcess[str]]

HEADER = ["x", "y", "topic", "stars", "price", "tags", "empty"]
PLUGIN = Path(__file__).parents[1] / "core" / "token_components.py"
SENTENCES = [("red wine , green tea", "yes"), ("dark beer", "no"), ("black coffee , fresh juice", "no")] * 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of numbers and one of texts."""
    with (tmp_path / "numbers.csv").open("w", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(HEADER)
        for row in range(24):
            writer.writerow([row, row % 5, "ab"[row % 2], 1 + row % 4, 10 * row, "p|q"[: 1 + row % 3], ""])
    with (tmp_path / "texts.jsonl").open("w") as lines:
        for text, wet in SENTENCES:
            tags = ["n" if word != "," else None for word in text.split()]
            lines.write(json.dumps({"text": text, "wet": wet, "tags": tags}) + "\n")
    return tmp_path


@pytest.fixture
def run_rejected(folder: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """A function that runs an experiment which must be rejected with one message, and no files left."""
    monkeypatch.chdir(folder)

    def run(*tasks: dict[str, Any], text: bool = False, command: str = "run", **blocks: Any) -> str:
        numbers = {"type": "table", "train": "numbers.csv", "numbers": ["x", "y"]}
        value = {
            "name": "bad",
            "data": {"type": "table", "train": "texts.jsonl", "text": "text"} if text else numbers,
            "plugins": [str(PLUGIN)],
            "encoder": "tiny-words" if text else "array",
            "backbone": "neighbours" if text else "identity",
            "split": {"type": "random", "validation": 0.25},
            "tasks": [{"head": "linear", **task} for task in tasks],
            "training": {"epochs": 1},
            **blocks,
        }
        Path("bad.yaml").write_text(yaml.safe_dump(value))
        before = sorted(folder.rglob("*"))
        result = mtl(command, "bad.yaml", *(["--out", "out"] if command == "run" else []))
        assert sorted(folder.rglob("*")) == before, "the command left files"
        assert result.returncode == 2, result.stderr
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        (message,) = re.findall(r"^error: (.*)\Z", result.stderr, re.MULTILINE | re.DOTALL)
        return str(message).rstrip("\n")

    return run


def edit_line(path: Path, line: int, old: str, new: str) -> None:
    lines = path.read_text().splitlines()
    assert old in lines[line - 1]
    lines[line - 1] = lines[line - 1].replace(old, new)
    path.write_text("\n".join(lines) + "\n")


def test_a_label_outside_the_declared_space(folder: Path, run_rejected: Callable[..., str]) -> None:
    location = f"{folder}/numbers.csv:3"
    for kind in ("binary", "classification", "multi-label"):
        message = run_rejected({"name": "topic", "kind": {"type": kind, "classes": ["a", "bb"]}})
        assert message.startswith(f"task 'topic': {location}: the label 'b' is not one of the task's classes; did you")
        assert message.endswith("(classes: a, bb)")
    message = run_rejected({"name": "stars", "kind": {"type": "ordinal", "classes": ["1", "2", "3"]}})
    assert message == (
        f"task 'stars': {folder}/numbers.csv:5: the label '4' is not one of the task's classes (classes: 1, 2, 3)"
    )


def test_tag_outside_the_declared_space_is_reported_with_its_word(
    folder: Path, run_rejected: Callable[..., str]
) -> None:
    edit_line(folder / "texts.jsonl", 2, '["n", "n"]', '["n", "m"]')
    kind = {"type": "token-tagging", "classes": ["n", "v"]}
    assert run_rejected({"name": "tags", "kind": kind, "head": "token-linear"}, text=True) == (
        f"task 'tags': {folder}/texts.jsonl:2, word 2 ('beer'): the label 'm' is not one of the task's classes "
        "(classes: n, v)"
    )


def test_a_task_without_any_label(folder: Path, run_rejected: Callable[..., str]) -> None:
    assert run_rejected({"name": "t", "label": "empty"}) == (
        "task 't': no training example has a label in the column 'empty'"
    )
    excluded = {"type": "exclude-labels", "labels": ["a", "b"]}
    assert run_rejected({"name": "topic", "mask": excluded}) == (
        "task 'topic': no training example has a label in the column 'topic'; the column contains: a, b"
    )
    tags = (folder / "texts.jsonl").read_text()
    (folder / "texts.jsonl").write_text(re.sub(r'"n"', "null", tags))
    assert run_rejected({"name": "tags", "kind": "token-tagging", "head": "token-linear"}, text=True) == (
        "task 'tags': no training example has a label in the column 'tags'"
    )


def test_too_few_classes(folder: Path, run_rejected: Callable[..., str]) -> None:
    message = run_rejected({"name": "tags", "kind": "token-tagging", "head": "token-linear"}, text=True)
    assert message == "task 'tags': classes in the training labels: n; a task needs 2 or more"
    assert run_rejected({"name": "stars", "kind": "binary"}) == (
        "task 'stars': 4 classes in the training labels (1, 2, 3, 4); a binary task has two"
    )
    assert run_rejected({"name": "topic", "kind": "ordinal"}).startswith(
        "task 'topic': the classes are not numbers (a, b), so their order must be declared"
    )


def test_loader_without_examples(folder: Path, run_rejected: Callable[..., str]) -> None:
    (folder / "numbers.csv").write_text(",".join(HEADER) + "\n")
    assert run_rejected({"name": "topic"}) == "the loader 'table' found no example"
    data_sets = {"one": {"type": "table", "train": "texts.jsonl", "text": "text"}}
    data_sets["two"] = {"type": "table", "train": "numbers.csv", "text": "topic"}
    assert run_rejected({"name": "wet"}, data=None, data_sets=data_sets, text=True) == (
        "data set 'two': the loader 'table' found no example"
    )


@pytest.mark.parametrize(
    "kind", ["regression", {"type": "regression", "outputs": 2}, {"type": "regression", "loss": "huber"}]
)
def test_text_instead_of_a_number(folder: Path, run_rejected: Callable[..., str], kind: Any) -> None:
    edit_line(folder / "numbers.csv", 9, ",70,", ",cheap,")
    message = f"task 'price': {folder}/numbers.csv:9: the label 'cheap' is not a number"
    for split in ("predefined", {"type": "random", "validation": 0.5}):
        assert run_rejected({"name": "price", "kind": kind}, split=split) == message


def test_numbers_in_lists_of_different_length(folder: Path, run_rejected: Callable[..., str]) -> None:
    lines = [json.dumps({"x": n, "y": n, "pair": [n, 2.0] if n != 5 else [n, 2.0, 3.0]}) for n in range(12)]
    (folder / "pairs.jsonl").write_text("\n".join(lines))
    data = {"type": "table", "train": "pairs.jsonl", "numbers": ["x", "y"]}
    two = {"name": "pair", "kind": {"type": "regression", "outputs": 2}}
    assert re.match(
        r"task 'pair': .*/pairs\.jsonl:\d+: found 2 numbers, expected 3 as in other labels",
        run_rejected(two, data=data, split="predefined"),
    )
    (folder / "pairs.jsonl").write_text("\n".join(line for line in lines if "3.0" not in line))
    three = {"name": "pair", "kind": {"type": "regression", "outputs": 3}}
    assert run_rejected(three, data=data) == ("task 'pair': numbers per label: found 2, but kind.outputs is 3")
    assert run_rejected({"name": "pair", "kind": "regression"}, data=data) == (
        "task 'pair': labels are lists of 2 numbers, expected one number (`outputs: 2` allows it)"
    )


@pytest.mark.parametrize("kind", ["token-tagging", "token-regression"])
def test_label_count_differs_from_word_count(folder: Path, run_rejected: Callable[..., str], kind: str) -> None:
    edit_line(folder / "texts.jsonl", 3, '["n", "n", null, "n", "n"]', '["n", "n"]')
    text = (folder / "texts.jsonl").read_text()
    (folder / "texts.jsonl").write_text(text.replace('"n", "n"', '"1", "2"'))
    assert run_rejected({"name": "tags", "kind": kind, "head": "token-linear"}, text=True) == (
        f"{folder}/texts.jsonl:3: task 'tags' has 2 labels for 5 words (black, coffee, ,, fresh, juice); "
        "expected a list with one label per word, null for a missing label"
    )


def test_one_label_instead_of_one_per_word(folder: Path, run_rejected: Callable[..., str]) -> None:
    message = run_rejected({"name": "wet", "kind": "token-tagging", "head": "token-linear"}, text=True)
    assert message.startswith(
        f"{folder}/texts.jsonl:1: task 'wet' has one label ('yes') for 5 words (red, wine, ,, green, tea); expected"
    )


def test_a_head_that_does_not_fit_the_kind(run_rejected: Callable[..., str]) -> None:
    choose = "choose a head for"
    assert f"'linear' returns outputs per example; {choose} tokens" in run_rejected(
        {"name": "tags", "kind": "token-tagging"}, text=True
    )
    assert f"'token-linear' returns outputs per token; {choose} examples" in run_rejected(
        {"name": "wet", "head": "token-linear"}, text=True
    )
    assert "the kind 'bag-of-words' predicts words of the input, but the encoder has no vocabulary" in run_rejected(
        {"name": "bag", "kind": "bag-of-words"}
    )


def test_a_token_head_over_features_without_tokens(run_rejected: Callable[..., str]) -> None:
    message = run_rejected({"name": "tags", "kind": "token-tagging", "head": "token-linear"})
    assert re.match(r".*/numbers\.csv:2: task 'tags' labels words, but the enc", message)


NUMBERS, CLASS, LISTS = "labels are numbers", "one class per label", "any number of labels"


@pytest.mark.parametrize(
    ("name", "kind", "metric", "fits"),
    [
        ("topic", "classification", "mae", NUMBERS),
        ("topic", "multi-label", "r2", NUMBERS),
        ("stars", "ordinal", "rmse", NUMBERS),
        ("price", "regression", "accuracy", CLASS),
        ("topic", "multi-label", "accuracy", CLASS),
        ("price", "regression", "quadratic-kappa", CLASS),
        ("topic", "binary", "micro-f1", LISTS),
        ("price", "regression", "exact-match", LISTS),
    ],
)
def test_a_metric_that_does_not_fit_the_kind(
    name: str, kind: str, metric: str, fits: str, run_rejected: Callable[..., str]
) -> None:
    message = run_rejected({"name": name, "kind": {"type": kind, "metrics": [metric]}})
    assert re.fullmatch(rf"task '{name}': the metric '{metric}' is for tasks (with|whose) {fits}", message)


def test_a_mask_that_does_not_fit_the_kind(run_rejected: Callable[..., str]) -> None:
    assert run_rejected({"name": "price", "kind": "regression", "mask": "exclude-labels"}) == (
        "task 'price': the mask 'exclude-labels' is for tasks with one class per label"
    )


TOPIC = {"name": "topic"}
PRICE = {"name": "price", "kind": "regression"}


@pytest.mark.parametrize(
    ("select", "message"),
    [
        ({"aggregation": "mean"}, ": the tasks have different metrics, so they have no common score; set a `met"),
        ({"aggregation": "overall"}, ": the tasks have different metrics"),
        ({"metric": "accuracy"}, ".metric: task 'price' has no metric 'accuracy' (metrics: mae, rmse, r2)"),
        ({"metric": "mea", "aggregation": "price"}, ".metric: task 'price' has no metric 'mea'; did you mean 'ma"),
        (
            {"aggregation": "prize"},
            ".aggregation: unknown 'prize'; did you mean 'price'? (known: overall, mean, relative_error_reduc",
        ),
    ],
)
def test_selection_over_tasks_with_different_metrics(
    select: dict[str, str], message: str, run_rejected: Callable[..., str]
) -> None:
    assert run_rejected(TOPIC, PRICE, training={"select": select}).startswith(f"training.select{message}")


def test_selection_by_an_unsuitable_metric(run_rejected: Callable[..., str]) -> None:
    assert run_rejected(PRICE, training={"select": {"aggregation": "overall"}}).startswith(
        "training.select: 'mae' cannot be pooled over tasks; use `aggregation: mean` or the name of one task"
    )
    task = {"name": "topic", "kind": {"type": "classification", "metrics": ["confusion"]}}
    for aggregation in (None, "relative_error_reduction", "topic"):
        assert run_rejected(task, training={"select": {"aggregation": aggregation}}) == (
            "training.select.metric: 'confusion' is not one number, so it cannot select an epoch"
        )


def build_task_block(**keys: Any) -> dict[str, Any]:
    return {"tasks": [{"name": "topic", "head": "linear", **keys}]}


@pytest.mark.parametrize("command", ["run", "validate"])
@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"sampling": "unifrom"}, "sampling.type: unknown sampling strategy 'unifrom'; did you mean 'uniform'?"),
        (
            {"sampling": {"type": "temperature", "temperature": 0}},
            "sampling.temperature: expected greater than or equal to 1, found 0",
        ),
        ({"init_from": {"run": "none"}}, "init_from.run: no such file or folder: "),
        ({"data_sets": {"a": {"type": "table"}}}, "data_sets.a.train: required, but missing"),
        ({"data": None}, "data: required, but missing"),
        ({"heads": {"one": "lienar"}}, "heads.one.type: unknown head 'lienar'; did you mean 'linear'?"),
        (build_task_block(data=["dat"]), "tasks.0.data.0: unknown data set 'dat'; did you mean 'data'?"),
        (
            build_task_block(kind={"type": "binary", "classes": ["a"]}),
            "tasks.0.kind.classes: expected a list of at least 2",
        ),
        (
            build_task_block(kind={"type": "ordinal", "classes": list("aba")}),
            "tasks.0.kind: the class 'a' is listed twice",
        ),
        (
            build_task_block(kind={"type": "multi-label", "threshold": 1.0}),
            "tasks.0.kind.threshold: expected less than 1",
        ),
    ],
)
def test_config_errors_are_reported_with_their_line_before_data_is_loaded(
    command: str, blocks: dict[str, Any], message: str, run_rejected: Callable[..., str], folder: Path
) -> None:
    (folder / "numbers.csv").write_text("nonsense")
    error = run_rejected(TOPIC, command=command, **blocks)
    location, _, rest = error.partition(": ")
    assert re.fullmatch(r"bad\.yaml:\d+", location)
    assert rest.startswith(message)
    line = (folder / "bad.yaml").read_text().splitlines()[int(location.partition(":")[2]) - 1]
    keys = message.partition(":")[0].split(".")
    assert any(key in line for key in [*keys, "dat"])
