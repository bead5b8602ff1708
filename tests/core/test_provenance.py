"""Provenance: what a run records about its files, versions and machine, and what is refused afterwards."""

import hashlib
import json
import platform
import shutil
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from test_training import Interrupt, InterruptAfter

from mtl_core import LoaderSpec, MtlError
from mtl_core.artifacts.provenance import Provenance, read_provenance
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import load_experiment
from mtl_core.data.input_files import hash_input_files
from mtl_core.experiments.compare.comparability import check_same_provenance
from mtl_core.experiments.trial_provenance import check_trial_provenance
from mtl_core.runs.git_revision import read_git_revision
from mtl_core.runs.run import resume_run, run_experiment
from mtl_core.tracking.values import flatten_provenance

pytestmark = pytest.mark.usefixtures("placeholder_reports", "shared_pipelines")

Mtl = Callable[..., subprocess.CompletedProcess[str]]

PLUGIN = '''\
"""A loader that reads a table, an index that no key names, and a folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from mtl_core import Corpus, InputFile, LoaderSpec, hookimpl
from mtl_core.config.paths import InputPath


class Indexed(LoaderSpec):
    """Rows of numbers with two labels each."""

    type: Literal["indexed"] = "indexed"
    train: InputFile
    """The file of labels."""
    images: InputPath | None = None
    """A folder."""

    def list_additional_files(self) -> Sequence[Path]:
        return [self.train.with_name("index.txt")]

    def load(self) -> Corpus:
        labels = self.train.read_text().split()
        return Corpus(
            ids=[str(row) for row in range(len(labels))],
            inputs=[[float(row % 2), float(row % 3)] for row in range(len(labels))],
            labels={"a": labels, "b": labels[::-1]},
            splits=["test" if row % 4 == 0 else "train" for row in range(len(labels))],
        )


@hookimpl
def mtl_loaders():
    return [Indexed]
'''
EXPERIMENT = """\
name: indexed
plugins: [loader.py]
data: {type: indexed, train: labels.txt, images: images}
split: {type: random, validation: 0.25}
encoder: {type: array, standardise: false}
backbone: {type: mlp, hidden_dims: [4]}
tasks: [{each: "*", kind: {type: classification, classes: ["yes", "no"]}, head: linear}]
training: {epochs: 2, batch_size: 4}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with an experiment and its data."""
    folder = tmp_path / "project"
    (folder / "images" / "deep").mkdir(parents=True)
    (folder / "loader.py").write_text(PLUGIN)
    (folder / "indexed.yaml").write_text(EXPERIMENT)
    (folder / "labels.txt").write_text("yes no no " * 10)
    (folder / "index.txt").write_text("an index")
    (folder / "images" / "b.txt").write_text("b")
    (folder / "images" / "deep" / "a.txt").write_text("a")
    return folder


def load_config(project: Path, *overrides: str) -> ExperimentConfig:
    return load_experiment(project / "indexed.yaml", overrides).config


def train(project: Path, name: str = "run", *overrides: str) -> Path:
    path = project.parent / name
    run_experiment(load_config(project, *overrides), path, experiment_path=project / "indexed.yaml")
    return path


def interrupt(project: Path) -> Path:
    path = project.parent / "cut"
    with pytest.raises(Interrupt):
        run_experiment(load_config(project), path, InterruptAfter(4), experiment_path=project / "indexed.yaml")
    return path


def read(run: Path) -> Provenance:
    provenance = read_provenance(run / "provenance.json")
    assert provenance is not None
    return provenance


def edit(run: Path, edit_content: Callable[[dict[str, Any]], object]) -> None:
    """Change the recorded provenance of a run."""
    path = run / "provenance.json"
    content = json.loads(path.read_text())
    edit_content(content)
    path.write_text(json.dumps(content))


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Nobody Known", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    result = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return result.stdout.strip()


def compute_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


# Recording


def test_files_are_recorded_with_size_and_digest(project: Path) -> None:
    files = read(train(project)).files
    assert set(files) == {"data.train", "data.images", "data.index.txt"}
    for key, name in (("data.train", "labels.txt"), ("data.index.txt", "index.txt")):
        path = project / name
        assert (files[key].name, files[key].files, files[key].size) == (name, 1, path.stat().st_size)
        assert files[key].sha256 == compute_digest(path)


def test_digest_of_a_folder_is_that_of_sha256sum(project: Path) -> None:
    (project / "images" / ".hidden").write_text("changes whenever the folder is opened")
    folder = hash_input_files(load_config(project))["data.images"]
    lines = [f"{compute_digest(project / 'images' / name)}  {name}\n" for name in ("b.txt", "deep/a.txt")]
    assert (folder.name, folder.files, folder.size) == ("images", 2, 2)
    assert folder.sha256 == hashlib.sha256("".join(lines).encode()).hexdigest()


def test_renamed_file_in_a_folder_changes_its_digest(project: Path) -> None:
    before = hash_input_files(load_config(project))["data.images"]
    (project / "images" / "b.txt").rename(project / "images" / "c.txt")
    assert hash_input_files(load_config(project))["data.images"].sha256 != before.sha256


def test_versions_and_machine_are_recorded(project: Path) -> None:
    provenance = read(train(project))
    assert provenance.python == platform.python_version()
    for name in ("torch", "numpy", "accelerate", "torchmetrics", "mtl-core"):
        assert provenance.packages[name] == version(name)
    assert "spacy" not in provenance.packages, "no component uses it"
    assert provenance.plugins["loader.py"].sha256 == compute_digest(project / "loader.py")
    assert (provenance.platform.device, provenance.platform.processes) == ("cpu", 1)
    assert provenance.platform.threads == torch.get_num_threads()
    assert provenance.platform.machine == platform.machine()


def test_packages_of_components_are_recorded(trained_run: Path) -> None:
    provenance = read(trained_run)
    assert provenance.packages["spacy"] == version("spacy")
    assert "transformers" not in provenance.packages
    assert provenance.plugins["absa_plugin"].distribution == "mtl-core"
    assert set(provenance.files) == {"data.train", "data.test"}


def test_it_is_written_before_training_and_contains_nothing_private(project: Path) -> None:
    path = interrupt(project)
    assert read(path).files
    text = (path / "provenance.json").read_text()
    for private in (str(Path.home()), str(project), platform.node() or "no host name"):
        assert private not in text


def test_git_revision_of_the_experiment(project: Path) -> None:
    git(project, "init", "-q")
    assert read_git_revision(project / "indexed.yaml") is None, "there is no commit"
    git(project, "remote", "add", "origin", "https://user:secret@example.org/project.git")
    git(project, "add", "loader.py", "labels.txt")
    git(project, "commit", "-q", "-m", "first")
    revision = git(project, "rev-parse", "HEAD")

    def read_changes() -> bool | None:
        recorded = read_git_revision(project / "indexed.yaml")
        assert recorded is not None
        assert recorded.revision == revision
        return recorded.has_uncommitted_changes

    assert read_changes(), "the experiment is not tracked"
    git(project, "add", "indexed.yaml")
    git(project, "commit", "-q", "-m", "second")
    revision = git(project, "rev-parse", "HEAD")
    assert read_changes() is False, "other files that are not tracked do not count"
    (project / "loader.py").write_text(PLUGIN + "# changed\n")
    assert read_changes()

    path = train(project)
    git_record = read(path).git
    assert git_record is not None
    assert (git_record.revision, git_record.has_uncommitted_changes) == (revision, True)
    assert not {"secret", "Nobody", "example.org"} & set((path / "provenance.json").read_text().split('"'))


def test_without_git_or_a_repository(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_git_revision(project / "indexed.yaml") is None
    git(project, "init", "-q")
    monkeypatch.setenv("PATH", str(project))
    assert read_git_revision(project / "indexed.yaml") is None


@pytest.mark.usefixtures("complete_reports")
def test_report_and_model_card_show_it(project: Path, mtl: Mtl) -> None:
    path = train(project)
    assert mtl("report", path).returncode == 0
    digest = compute_digest(project / "labels.txt")[:12]
    for name in ("report.html", "MODEL_CARD.md"):
        text = (path / name).read_text()
        assert "Provenance" in text
        assert f"torch {torch.__version__}" in text
        assert f"labels.txt, {(project / 'labels.txt').stat().st_size} bytes, SHA-256 {digest}" in text


def test_trackers_receive_it(project: Path) -> None:
    values = flatten_provenance(read(train(project)))
    assert values["provenance.packages.torch"] == version("torch")
    assert values["provenance.files.data.train.sha256"] == compute_digest(project / "labels.txt")
    assert values["provenance.platform.threads"] == torch.get_num_threads()
    assert not any(name.startswith("provenance.resumed") for name in values)


# Resuming


def test_resume_refuses_changed_data(project: Path) -> None:
    path = interrupt(project)
    before = compute_digest(project / "labels.txt")
    (project / "labels.txt").write_text("no yes no " * 10)
    after = compute_digest(project / "labels.txt")
    with pytest.raises(MtlError) as error:
        resume_run(path)
    message = str(error.value)
    assert message.startswith(f"{path}: data.train has changed since the run started: it was labels.txt, 100 bytes")
    assert before[:12] in message
    assert after[:12] in message
    assert f"mtl run {path / 'config.yaml'} --out NEW" in message
    (project / "labels.txt").write_text("yes no no " * 10)
    assert resume_run(path).path == path


@pytest.mark.parametrize("name", ["index.txt", "images/deep/a.txt"])
def test_resume_refuses_other_changed_files(project: Path, name: str) -> None:
    path = interrupt(project)
    (project / name).write_text("another")
    with pytest.raises(MtlError, match="has changed since the run started"):
        resume_run(path)


def test_resume_names_a_missing_file(project: Path) -> None:
    path = interrupt(project)
    (project / "index.txt").unlink()
    with pytest.raises(MtlError, match=r"data\.index\.txt: .*index\.txt: cannot be read: No such file or directory"):
        resume_run(path)


def test_resume_on_other_versions_warns_and_records_it(project: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = interrupt(project)
    edit(path, lambda content: content["packages"].update(torch="1.0.0"))
    edit(path, lambda content: content["platform"].update(device="Another GPU"))
    (project / "loader.py").write_text(PLUGIN + "# changed\n")
    resume_run(path)
    resumed = read(path).resumed
    assert resumed[:1] == [f"resumed with torch {torch.__version__}; the run started with torch 1.0.0"]
    assert "resumed with device cpu; the run started with device Another GPU" in resumed
    assert any(sentence.startswith("resumed with plugin loader.py") for sentence in resumed)
    assert len([message for message in caplog.messages if "may differ from that of an uninterrupted" in message]) == 3


def test_uninterrupted_and_resumed_run_have_the_same_provenance(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    uninterrupted, resumed = train(project), interrupt(project)
    resume_run(resumed)
    assert read(resumed) == read(uninterrupted)
    assert not caplog.messages


# Old run directories


@pytest.mark.usefixtures("complete_reports")
def test_runs_of_earlier_versions_are_used_with_a_warning(
    project: Path, caplog: pytest.LogCaptureFixture, mtl: Mtl
) -> None:
    path = interrupt(project)
    (path / "provenance.json").unlink()
    resume_run(path)
    assert "the run has no provenance.json" in caplog.text
    assert mtl("report", path).returncode == 0
    assert "earlier version of mtl-core created it" in (path / "report.html").read_text()
    other = train(project)
    [sentence] = check_same_provenance([path, other])
    assert sentence == (
        f"Whether all runs read the same data with the same versions is unknown: {path} has no provenance.json."
    )
    check_trial_provenance([path], load_config(project))
    assert "whether they read the same data is unknown" in caplog.text


def test_damaged_file_is_named(project: Path) -> None:
    path = interrupt(project)
    edit(path, lambda content: content.pop("packages"))
    with pytest.raises(MtlError, match=r"provenance\.json: damaged: packages: Field required"):
        resume_run(path)


def test_run_that_fails_at_once_leaves_no_folder(project: Path) -> None:
    config = load_config(project, "init_from={run: nowhere}")
    with pytest.raises(MtlError):
        run_experiment(config, project.parent / "run")
    assert not (project.parent / "run").exists()


# Comparing


def test_compare_refuses_runs_on_other_data(project: Path, mtl: Mtl) -> None:
    first = train(project, "first")
    (project / "index.txt").write_text("the same labels, another index")
    second = train(project, "second", "seed=2")
    result = mtl("compare", first, second)
    assert result.returncode == 2
    assert f"{second}: was trained on other data than {first}: data.index.txt is index.txt, 30 bytes" in result.stderr
    assert "train one of them again" in result.stderr


def test_compare_refuses_runs_of_another_version(project: Path, mtl: Mtl) -> None:
    first, second = train(project, "first"), train(project, "second", "seed=2")
    edit(second, lambda content: content["packages"].update({"mtl-core": "9.0"}))
    result = mtl("compare", first, second)
    assert result.returncode == 2
    assert f"{second}: was trained by mtl-core 9.0, but {first} by mtl-core {version('mtl-core')}" in result.stderr


@pytest.mark.usefixtures("complete_reports")
def test_compare_warns_about_another_torch_or_machine(project: Path, tmp_path: Path, mtl: Mtl) -> None:
    first, second = train(project, "first"), train(project, "second", "seed=2")
    edit(second, lambda content: content["packages"].update(torch="1.0.0"))
    edit(second, lambda content: content["platform"].update(processor="An abacus"))
    result = mtl("compare", first, second, "--out", tmp_path / "comparison")
    assert result.returncode == 0, result.stderr
    sentence = (
        "Versions or machines differ, which may cause a part of the differences: torch 1.0.0 in second, but "
        f"{torch.__version__} in first; processor An abacus in second"
    )
    assert sentence in result.stdout.replace("\n", " ")
    assert "torch 1.0.0 in second" in (tmp_path / "comparison" / "report.html").read_text()


def test_runs_on_the_same_machine_cause_no_sentence(project: Path) -> None:
    assert check_same_provenance([train(project, "first"), train(project, "second", "seed=2")]) == []


@pytest.mark.parametrize("command", ["compare", "ablate"])
def test_continued_trials_refuse_changed_data(project: Path, tmp_path: Path, mtl: Mtl, command: str) -> None:
    experiment, out = project / "indexed.yaml", tmp_path / "out"
    experiment.write_text(EXPERIMENT + "auxiliary: [{type: auxiliary-target, label: b}]\n" * (command == "ablate"))
    arguments = [command, experiment, "--out", out, "--jobs", "1"]
    result = mtl(*arguments, "--seeds", "1")
    assert result.returncode == 0, result.stderr
    (project / "index.txt").write_text("another index")
    result = mtl(*arguments, "--seeds", "2")
    assert result.returncode == 2
    assert "data.index.txt has changed since this trial started: it was index.txt, 8 bytes" in result.stderr
    assert "choose another --out" in result.stderr
    (project / "index.txt").write_text("an index")
    result = mtl(*arguments, "--seeds", "2")
    assert result.returncode == 0, result.stderr


def test_finished_comparison_can_be_summarized_again(project: Path, tmp_path: Path, mtl: Mtl) -> None:
    """Nothing is trained, so nothing is mixed."""
    arguments = ["compare", project / "indexed.yaml", "--out", tmp_path / "out", "--jobs", "1", "--seeds", "1"]
    assert mtl(*arguments).returncode == 0
    (project / "index.txt").write_text("another index")
    result = mtl(*arguments)
    assert result.returncode == 0, result.stderr


def test_comparison_refuses_trials_that_read_other_data(project: Path, tmp_path: Path, mtl: Mtl) -> None:
    """The data changes while the trials run."""
    out = tmp_path / "out"
    arguments = ["compare", project / "indexed.yaml", "--out", out, "--jobs", "1", "--seeds", "1"]
    assert mtl(*arguments).returncode == 0
    run = next(path for path in out.glob("single*") if path.is_dir())
    edit(run, lambda content: content["files"]["data.train"].update(sha256="0" * 64))
    result = mtl(*arguments)
    assert result.returncode == 2
    assert f"{run}: was trained on other data than" in result.stderr


def test_continued_trials_refuse_another_version(project: Path) -> None:
    path = train(project)
    edit(path, lambda content: content["packages"].update({"mtl-core": "0.0.1"}))
    with pytest.raises(MtlError, match=r"mtl-core 0\.0\.1 started this trial, and this is mtl-core 0\.1"):
        check_trial_provenance([path], load_config(project))


def test_continued_sweep_refuses_changed_data(project: Path, tmp_path: Path, mtl: Mtl) -> None:
    pytest.importorskip("optuna", reason="the extra sweep is not installed")
    experiment, out = project / "indexed.yaml", tmp_path / "out"
    experiment.write_text(EXPERIMENT + "sweep: {space: {optimizer.lr: {choices: [0.01, 0.02, 0.03]}}, trials: 2}\n")
    arguments = ["sweep", experiment, "--out", out, "--jobs", "1"]
    result = mtl(*arguments, "--trials", "2")
    assert result.returncode == 0, result.stderr
    (project / "labels.txt").write_text("no yes no " * 10)
    result = mtl(*arguments, "--trials", "3")
    assert result.returncode == 2
    assert "data.train has changed since this trial started" in result.stderr


def test_moved_data_with_the_same_content_is_accepted(project: Path) -> None:
    first = train(project, "first")
    moved = Path(shutil.copytree(project, project.parent / "moved"))
    (moved / "labels.txt").rename(moved / "other.txt")
    second = train(moved, "second", f"data.train={moved / 'other.txt'}")
    assert check_same_provenance([first, second]) == []


def test_a_loader_names_no_additional_files_by_default() -> None:
    class Plain(LoaderSpec):
        type: str = "plain"

        def load(self) -> Any:
            raise NotImplementedError

    assert list(Plain().list_additional_files()) == []


def test_path_of_the_file() -> None:
    assert RunDirectory(Path("run")).provenance == Path("run/provenance.json")
