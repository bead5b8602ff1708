"""Invalid input: exit code 2, one clear message, no partial output.

Conversely, a bug keeps its traceback.
"""

import io
import json
import re
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

pytestmark = pytest.mark.usefixtures("placeholder_reports", "shared_pipelines")

Mtl = Callable[..., CompletedProcess[str]]
Write = Callable[..., Path]


def get_error(result: CompletedProcess[str]) -> str:
    """Return the single message of a rejected command."""
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    (message,) = re.findall(r"^error: (.*)\Z", result.stderr, re.MULTILINE | re.DOTALL)
    return str(message).rstrip("\n")


def find_temporary_files(folder: Path) -> list[Path]:
    """Return all temporary files below a folder."""
    return [path for path in folder.rglob("*") if path.name.startswith(".")]


@pytest.fixture
def run_rejected(experiment: Path, tmp_path: Path, mtl: Mtl) -> Callable[..., str]:
    """A function that runs an experiment which must be rejected, and returns the message."""

    def run(*settings: str, of: Path = experiment) -> str:
        out = tmp_path / "out"
        options = [word for setting in settings for word in ("--set", setting)]
        message = get_error(mtl("run", of, "--out", out, *options))
        assert not out.exists()
        return message

    return run


# The experiment


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("training.epoch=3", "--set training.epoch: unknown key 'epoch'; did you mean 'epochs'?"),
        ("training.epochs=many", "--set training.epochs: expected a valid integer, found 'many'"),
        ("backbone=bilstn", "--set backbone.type: unknown backbone 'bilstn'; did you mean 'bilstm'?"),
        ("data.train=none.xml", "--set data.train: no such file: "),
        ("data.test=none.xml", "--set data.test: no such file: "),
        (
            "encoder.pipeline=en_core_web_zz",
            "encoder.pipeline: the spaCy pipeline 'en_core_web_zz' cannot be loaded",
        ),
        ("encoder.pipeline=blank:zz", "encoder.pipeline: spaCy has no language 'zz'"),
        (
            "encoder.trainable=false",
            "encoder.trainable: 'blank:en' has no word vectors, so they must be trained (trainable: true)",
        ),
        (
            "training.select.metric=acuracy",
            "training.select.metric: task 'food' has no metric 'acuracy'; did you m",
        ),
        (
            "training.select={metric: macro_f1, aggregation: overall}",
            "training.select: 'macro_f1' cannot be pooled over tasks; use `aggregation: mean`",
        ),
        (
            "training.select={metric: confusion, aggregation: mean}",
            "training.select.metric: 'confusion' is not one number",
        ),
        (
            "training.select.aggregation=fod",
            "training.select.aggregation: unknown 'fod'; did you mean 'food'? (known: overall, me",
        ),
        (
            "tasks.0.kind.class_weights={type: explicit, values: {positiv: 2}}",
            "task 'food': class_weights: 'positiv' is not a class; did you mean 'positive'?",
        ),
        (
            "tasks.0.kind.metrics=[accuracy, {type: restricted-accuracy, name: two, classes: [positive, neutral]}]",
            "task 'food': metric 'two': 'neutral' is not a class (classes: positive, negative)",
        ),
        (
            "tasks=[{name: fod, head: linear}]",
            "task 'fod': the data has no label column 'fod'; did you mean 'food'",
        ),
        ("tasks.0.each='z*'", "tasks: no label column matches 'z*' (columns: "),
        ("tasks.0.mask=observed", "task 'food': "),
        ("split={type: k-fold, folds: 500}", "split.folds: 500 folds need as many distinct examples, found 72"),
        ("encoder=array", "the encoder 'array' reads arrays of numbers, found str"),
        ("name=../elsewhere", "--set name: '../elsewhere' contains a slash"),
    ],
)
def test_invalid_experiment(setting: str, message: str, run_rejected: Callable[..., str]) -> None:
    assert message in run_rejected(setting)


def test_incompatible_components(toy_experiment: Path, run_rejected: Callable[..., str], experiment: Path) -> None:
    assert "the backbone 'bilstm' reads sequences" in run_rejected("backbone=bilstm", of=toy_experiment)
    assert "the head 'attention' reads tokens" in run_rejected("tasks.0.head=attention", of=toy_experiment)
    assert "the encoder 'spacy' reads texts or lists of words, found ndarray" in run_rejected(
        "encoder=spacy", of=toy_experiment
    )
    assert "attention_heads must divide" in run_rejected("tasks.0.head={type: self-attention, attention_heads: 7}")


def test_missing_experiments(tmp_path: Path, mtl: Mtl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    message = get_error(mtl("run", "absa-sampel"))
    assert message.startswith("unknown experiment 'absa-sampel'; did you mean 'absa-sample'?")
    assert get_error(mtl("run", "none.yaml")) == "none.yaml: no such file"
    (tmp_path / "empty.yaml").touch()
    assert get_error(mtl("run", "empty.yaml")).startswith("empty.yaml: the file is empty")
    assert [path.name for path in tmp_path.iterdir()] == ["empty.yaml"]


@pytest.mark.parametrize(
    "words", [["run"], ["frobnicate"], ["run", "a.yaml", "--frobnicate"], ["run", "a", "--seed", "-1"]]
)
def test_usage_errors_have_exit_code_2(words: list[str], mtl: Mtl) -> None:
    result = mtl(*words)
    assert result.returncode == 2
    assert "Usage:" in result.stderr


# The data


ENTITIES = '<!DOCTYPE sentences [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda xml: "", ": the file is empty"),
        (lambda xml: xml[: len(xml) // 2], r":\d+: the file ends too early"),
        (lambda xml: xml.replace("</sentence>", "", 1), r":\d+: unexpected <sentence>"),
        (
            lambda xml: xml.replace("?>", f"?>{ENTITIES}").replace("soup", "&c;"),
            ":1: document type declarations and",
        ),
        (lambda xml: xml.replace('"negative"', '"negativ"', 1), r":\d+: sentence 4: unknown polarity 'negativ' of"),
        (lambda xml: "<Reviews></Reviews>", r":\d+: the root element is <Reviews>, expected <sentences>"),
        (lambda xml: "text\tlabel\n", r":\d+: not well-formed XML"),
        (
            lambda xml: re.sub("<aspectCategories>.*?</aspectCategories>", "", xml, flags=re.S),
            ": no sentence names",
        ),
    ],
)
def test_invalid_training_file(
    damage: Callable[[str], str], message: str, reviews: Path, tmp_path: Path, run_rejected: Callable[..., str]
) -> None:
    path = tmp_path / "bad.xml"
    path.write_text(damage((reviews / "train.xml").read_text()))
    assert re.match(re.escape(str(path)) + message, run_rejected(f"data.train={path}"))


def test_category_without_training_examples(
    tmp_path: Path, write_reviews: Write, run_rejected: Callable[..., str], trained_run: Path, mtl: Mtl
) -> None:
    path = write_reviews(tmp_path / "new.xml", ("Good soup.", {"food": "positive"}), ("Hm.", {"foood": "negative"}))
    message = run_rejected(f"data.test={path}")
    assert re.match(rf"{path}:\d+: sentence 2: the category 'foood' never occurs in the training file", message)
    assert "did you mean 'food'?" in message
    message = get_error(mtl("evaluate", trained_run, "--data", path))
    assert re.match(rf"{path}:\d+: sentence 2: 'foood' is a label column that training never saw; did", message)


def test_a_label_outside_the_declared_classes(
    tmp_path: Path, write_reviews: Write, run_rejected: Callable[..., str], trained_run: Path, mtl: Mtl
) -> None:
    path = write_reviews(tmp_path / "new.xml", ("Good soup.", {"food": "neutral"}))
    for message in (run_rejected(f"data.test={path}"), get_error(mtl("evaluate", trained_run, "--data", path))):
        assert re.match(rf"task 'food': {path}:\d+: sentence 1: the label 'neutral' is not one of the", message)


def test_very_long_text_is_supported(reviews: Path, experiment: Path, tmp_path: Path, mtl: Mtl) -> None:
    long_text = "The soup was lovely and the waiter grim. " * 2500
    path = tmp_path / "long.xml"
    path.write_text((reviews / "train.xml").read_text().replace("The soup was lovely.", long_text))
    out = tmp_path / "run"
    result = mtl("run", experiment, "--out", out, "--set", f"data.train={path}", "--set", "training.epochs=1")
    assert result.returncode == 0, result.stderr
    for text in (long_text, "x" * 100_000):
        prediction = json.loads(mtl("predict", out, text, "--json").stdout)
        assert prediction["text"] == text
        assert set(prediction["tasks"]) == {"food", "service", "price"}


# Plugins (their error messages are tested in tests/core/test_plugins.py)


def test_plugins_that_cannot_be_used_stop_a_run_before_it_starts(
    experiment: Path, toy_plugin: Path, tmp_path: Path, mtl: Mtl
) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_the_kind\n")
    message = get_error(mtl("run", experiment, "--out", tmp_path / "out", "--plugin", broken))
    assert message == (
        f"plugin '{broken}' cannot be imported: ModuleNotFoundError: No module named 'nothing_of_the_kind' ({broken}:1)"
    )
    second = tmp_path / "second.py"
    second.write_text(toy_plugin.read_text())
    options = ["--plugin", toy_plugin, "--plugin", second]
    message = get_error(mtl("run", experiment, "--out", tmp_path / "out", *options, "--set", "data=numbers"))
    assert f"'{toy_plugin}' (file {toy_plugin}) and '{second}' (file {second})" in message
    assert get_error(mtl("run", experiment, "--plugin", "no_such_module")).startswith(
        "plugin 'no_such_module' cannot be imported: ModuleNotFoundError"
    )
    assert not (tmp_path / "out").exists()


FAULTY_HEAD = '''
from typing import Literal
from mtl_core import HeadSpec, hookimpl
class Faulty(HeadSpec):
    """A head with a bug."""
    type: Literal["faulty"] = "faulty"
    def build(self, inputs, outputs):
        from torch import nn
        class Module(nn.Module):
            def forward(self, features):
                return features.values / (1 // 0)
        return Module()
@hookimpl
def mtl_heads():
    return [Faulty]
'''


def test_bug_is_not_turned_into_a_message(toy_experiment: Path, tmp_path: Path, mtl: Mtl) -> None:
    plugin = tmp_path / "faulty.py"
    plugin.write_text(FAULTY_HEAD)
    with pytest.raises(ZeroDivisionError) as caught:
        mtl("run", toy_experiment, "--out", tmp_path / "out", "--plugin", plugin, "--set", "tasks.0.head=faulty")
    last = caught.traceback[-1]
    assert (str(last.path), last.lineno + 1, last.name) == (str(plugin), 11, "forward")
    assert not (tmp_path / "out").exists()


FAULTY_CHECK = """
from typing import Literal
from pydantic import field_validator
from mtl_core import HeadSpec, hookimpl
class Faulty(HeadSpec):
    type: Literal["faulty"] = "faulty"
    width: int = 1
    @field_validator("width")
    @classmethod
    def check(cls, width):
        return width // 0
    def build(self, inputs, outputs): ...
@hookimpl
def mtl_heads():
    return [Faulty]
"""


def test_a_bug_keeps_its_traceback(toy_experiment: Path, tmp_path: Path, mtl_process: Mtl) -> None:
    """In a separate process, to see its exit code; `validate` does not import torch, so it starts fast."""
    plugin = tmp_path / "faulty.py"
    plugin.write_text(FAULTY_CHECK)
    options = ["--plugin", plugin, "--set", "tasks.0.head={type: faulty, width: 3}"]
    result = mtl_process("validate", toy_experiment, *options)
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert f'File "{plugin}", line 11, in check' in result.stderr
    assert result.stderr.rstrip().endswith("ZeroDivisionError: integer division or modulo by zero")


# The output directory


def test_existing_output_directory_is_unchanged(experiment: Path, tmp_path: Path, mtl: Mtl) -> None:
    folder, file = tmp_path / "folder", tmp_path / "file"
    folder.mkdir()
    (folder / "mine.txt").write_text("precious")
    file.write_text("precious")
    for path in (folder, file):
        assert get_error(mtl("run", experiment, "--out", path)) == f"{path}: exists already; choose another --out"
    assert [path.read_text() for path in (folder / "mine.txt", file)] == ["precious", "precious"]


def test_unwritable_output_directory(experiment: Path, tmp_path: Path, mtl: Mtl) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "run"  # not even root can create it
    assert (
        get_error(mtl("run", experiment, "--out", out))
        == f"{out}: the run directory cannot be created: Not a directory"
    )


@contextmanager
def limit_file_size(limit: int) -> Iterator[None]:
    """Make every write beyond a size fail, as on a full disk (an `OSError`: Python ignores the signal)."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert signal.getsignal(signal.SIGXFSZ) == signal.SIG_IGN
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_at_the_start(experiment: Path, tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "run"
    with limit_file_size(4_000):
        result = mtl("run", experiment, "--out", out)
    assert re.match(rf"{out}/checkpoint.safetensors: cannot be written: .*File too large", get_error(result))
    assert list(tmp_path.iterdir()) == []


def test_full_disk_after_training_keeps_the_checkpoint(
    experiment: Path, reviews: Path, tmp_path: Path, mtl: Mtl
) -> None:
    """The texts are so long that writing predictions fails; the checkpoint contains the trained weights."""
    test = tmp_path / "long.xml"
    test.write_text((reviews / "test.xml").read_text().replace("seemed", "seemed really " * 4_000))
    out = tmp_path / "run"
    options = ["--out", out, "--set", f"data.test={test}", "--set", "encoder.max_tokens=8"]
    with limit_file_size(500_000):
        result = mtl("run", experiment, *options)
    assert re.match(rf"{out}/predictions.jsonl: cannot be written: File too large", get_error(result))
    assert not (out / "metrics.json").exists()
    assert not (out / "predictions.jsonl").exists()
    assert (out / "checkpoint.safetensors").exists()
    assert find_temporary_files(tmp_path) == []
    assert mtl("resume", out).returncode == 0
    assert (out / "metrics.json").exists()
    assert not (out / "checkpoint.safetensors").exists()


# Invalid run directories


def test_invalid_run_directory(experiment: Path, tmp_path: Path, mtl: Mtl) -> None:
    for command in ("predict", "evaluate", "resume"):
        words = ["Soup"] if command == "predict" else []
        assert get_error(mtl(command, tmp_path / "none", *words)) == f"{tmp_path / 'none'}: no such run directory"
        assert get_error(mtl(command, experiment, *words)) == f"{experiment}: not a run directory, but a file"
        assert get_error(mtl(command, tmp_path, *words)) == (
            f"{tmp_path}: not a run directory (it contains no config.yaml)"
        )


@pytest.mark.parametrize("name", ["state.json", "model.safetensors"])
def test_a_run_with_a_missing_file(name: str, run_copy: Path, mtl: Mtl) -> None:
    (run_copy / name).unlink()
    for words in (["predict", run_copy, "Soup"], ["evaluate", run_copy]):
        assert get_error(mtl(*words)) == (
            f"{run_copy}: the run is incomplete: {name} is missing; "
            f"repeat it with `mtl run {run_copy}/config.yaml --out NEW`"
        )


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (
            "state.json",
            '"format": 2',
            '"format": 3',
            "format 3, this installation reads format 2; the run was created",
        ),
        (
            "config.yaml",
            "version: 1",
            "version: 9",
            "version: the file has format 9, this installation reads up",
        ),
        ("state.json", '"classes"', '"klasses"', "damaged: KeyError: 'classes'"),
        ("state.json", '"words"', '"wordz"', "damaged: KeyError: 'words'"),
        ("state.json", '"tasks"', '"taskz"', "damaged: KeyError: 'tasks'"),
        ("state.json", '"encoder"', '"encodr"', "damaged: KeyError: 'encoder'"),
        (
            "config.yaml",
            "type: bilstm",
            "type: bilstn",
            "backbone.type: unknown backbone 'bilstn'; did you mean",
        ),
    ],
)
def test_run_of_another_version_or_with_invalid_content(
    name: str, old: str, new: str, message: str, run_copy: Path, mtl: Mtl
) -> None:
    path = run_copy / name
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    line = text[: text.index(old)].count("\n") + 1
    location = f"{path}:{line}" if name == "config.yaml" else str(path)
    assert get_error(mtl("predict", run_copy, "Soup")).startswith(f"{location}: {message}")


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-100], lambda data: b"\xff" * len(data)])
@pytest.mark.parametrize("name", ["state.json", "model.safetensors"])
def test_a_run_with_a_damaged_file(name: str, damage: Callable[[bytes], bytes], run_copy: Path, mtl: Mtl) -> None:
    path = run_copy / name
    path.write_bytes(damage(path.read_bytes()))
    assert get_error(mtl("predict", run_copy, "Soup")).startswith(f"{path}: damaged: ")


def test_weights_that_belong_to_another_config(run_copy: Path, mtl: Mtl) -> None:
    config = run_copy / "config.yaml"
    config.write_text(config.read_text().replace("type: bilstm\n  hidden_dim: 4", "type: bilstm\n  hidden_dim: 5"))
    message = get_error(mtl("predict", run_copy, "Soup"))
    assert message.startswith(f"{run_copy / 'model.safetensors'}: these weights do not fit the run's config: size mis")
    assert "\n" not in message


def test_a_complete_run_has_nothing_to_resume(run_copy: Path, mtl: Mtl) -> None:
    before = {path.name: path.read_bytes() for path in run_copy.iterdir()}
    assert get_error(mtl("resume", run_copy)) == f"{run_copy}: this run is complete; there is nothing to resume"
    assert {path.name: path.read_bytes() for path in run_copy.iterdir()} == before


def test_a_checkpoint_that_is_damaged(run_copy: Path, mtl: Mtl) -> None:
    (run_copy / "metrics.json").unlink()
    (run_copy / "checkpoint.safetensors").write_bytes(b"\x08")
    assert get_error(mtl("resume", run_copy)).startswith(
        f"{run_copy / 'checkpoint.safetensors'}: this checkpoint cannot be resumed from: "
    )


# Inputs of predictions


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.txt", b"fine\n\xff\xfe\n", ": not UTF-8: "),
        ("a.jsonl", b'{"text": "fine"}\n{"text": \n', ":2: not valid JSON: "),
        ("a.jsonl", b'{"text": "fine"}\n{"sentence": "x"}\n', ':2: expected an object with a "text", found {"sent'),
        ("a.jsonl", b'{"text": 7}\n', ':1: expected an object with a "text", found {"text": 7}'),
        ("a.jsonl", b'["text"]\n', ':1: expected an object with a "text"'),
        ("a.jsonl", b'{"text": "  "}\n', ":1: the text is empty"),
        ("a.jsonl", b'{"text": "\\ud800"}\n', ":1: not UTF-8 text: "),
        ("a.jsonl", b"[" * 100_000, ":1: not valid JSON: "),
        ("a.xml", b"<sentences>", ":1: the file ends too early"),
        ("a.csv", b"text\nfine\n", ":1: not well-formed XML"),
        ("a.xml", b"", ": the file is empty"),
    ],
)
def test_an_input_file_that_cannot_be_read(
    name: str, content: bytes, message: str, trained_run: Path, tmp_path: Path, mtl: Mtl
) -> None:
    path, out = tmp_path / name, tmp_path / "out.jsonl"
    path.write_bytes(content)
    error = get_error(mtl("predict", trained_run, "--input", path, "--output", out))
    assert error.startswith(f"{path}{message}")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_invalid_prediction_inputs(
    trained_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mtl: Mtl
) -> None:
    path = tmp_path / "none.txt"
    assert get_error(mtl("predict", trained_run, "--input", path)) == f"{path}: no such file"
    assert get_error(mtl("predict", trained_run, "--input", tmp_path)) == f"{tmp_path}: is a folder, expected a file"
    assert get_error(mtl("predict", trained_run, "a", "--input", path)) == "give texts or --input, not both"
    assert get_error(mtl("predict", trained_run, "fine", " ")) == "text 2: the text is empty"
    assert "does not exist" in get_error(mtl("predict", trained_run, "a", "--output", tmp_path / "no" / "where"))
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"fine\ncaf\xe9\n"), errors="surrogateescape"))
    assert get_error(mtl("predict", trained_run)).startswith("standard input:2: not UTF-8 text: ")


def test_output_file_is_replaced_atomically(trained_run: Path, tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("precious")
    get_error(mtl("predict", trained_run, "fine", "", "--output", out))
    assert out.read_text() == "precious"
    assert find_temporary_files(tmp_path) == []


def test_a_run_whose_loader_reads_no_text(toy_experiment: Path, tmp_path: Path, mtl: Mtl) -> None:
    out, data = tmp_path / "toy", tmp_path / "a.csv"
    data.touch()
    assert mtl("run", toy_experiment, "--out", out).returncode == 0
    assert get_error(mtl("predict", out, "Hello")) == (
        "text 1: the loader 'numbers' does not read texts, so this run cannot predict from text"
    )
    for words in (["predict", out, "--input", data], ["evaluate", out, "--data", data]):
        assert get_error(mtl(*words)) == f"the loader 'numbers' cannot read a single file such as {data}"


def test_run_with_a_missing_plugin(toy_plugin: Path, toy_experiment: Path, tmp_path: Path, mtl: Mtl) -> None:
    for path in (toy_plugin, toy_experiment):
        (tmp_path / path.name).write_text(path.read_text())
    out = tmp_path / "run"
    assert mtl("run", tmp_path / "toy.yaml", "--out", out).returncode == 0
    (tmp_path / "toy_loader.py").unlink()
    assert re.match(
        rf"{out}/config.yaml:\d+: plugins.0: plugin '{tmp_path}/toy_loader.py': no such file",
        get_error(mtl("evaluate", out)),
    )


def test_a_file_without_labels_cannot_be_evaluated(
    trained_run: Path, tmp_path: Path, write_reviews: Write, mtl: Mtl
) -> None:
    label_cases: list[dict[str, str] | None] = [None, {}]  # not annotated, or annotated as having no category
    for labels in label_cases:
        path = write_reviews(tmp_path / "bare.xml", ("Nice soup.", labels), ("Grim.", labels))
        assert get_error(mtl("evaluate", trained_run, "--data", path)).startswith(
            f"{path}: has no label for any task of the run (label columns: "
        )


def test_run_without_a_test_split_requires_a_file(experiment: Path, tmp_path: Path, mtl: Mtl) -> None:
    out = tmp_path / "run"
    assert mtl("run", experiment, "--out", out, "--set", "data.test=null", "--set", "training.epochs=1").returncode == 0
    assert get_error(mtl("evaluate", out)) == "the run's data has no test split; name a file with --data"
