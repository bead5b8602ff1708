"""Shared fixtures: small data, a fast experiment, a trained run, the command line.

`reviews`, `experiment`, `toy_plugin`, `toy_experiment` and `trained_run` have session scope and must not be
changed: a test that damages a file works on a copy (`run_copy` is such a copy). Tests of the core use the toy
fixtures, which need no other plugin.
"""

import os

# Models in tests are tiny. On a busy machine, torch threads that wait for each other are a hundred times slower
# than one thread. Set before torch is imported; subprocesses of tests inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["COLUMNS"] = "200"  # rich tables fill the terminal width, and tests must not depend on it

import contextlib
import fcntl
import io
import shutil
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from multiprocessing import context, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from placeholder_reports import write_placeholder_reports

from mtl_core.cli.app import main
from mtl_core.config.load import load_experiment
from mtl_core.plugins.active_registry import use_registry
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.registry import Registry

pytest_plugins = ["api_fixtures"]

Review = tuple[str, dict[str, str] | None]
"""A sentence and the polarity of each category; None if the sentence is not annotated."""
Mtl = Callable[..., CompletedProcess[str]]
MtlFork = Callable[..., BaseProcess]

WORDS = {
    "food": ("soup", "stew", "bread", "curry"),
    "service": ("waiter", "host", "cook", "barman"),
    "price": ("bill", "tip", "menu", "discount"),
}
OPINIONS = {"positive": ("lovely", "splendid", "grand"), "negative": ("dreadful", "grim", "sorry")}

EXPERIMENT = """\
name: tiny
data: {type: semeval2014, train: train.xml, test: test.xml}
split: {type: stratified, validation: 0.25}
encoder: {type: spacy, pipeline: "blank:en", dimensions: 8}
backbone: {type: bilstm, hidden_dim: 4}
tasks:
  - each: "*"
    kind: {type: classification, classes: [positive, negative]}
    head: {type: attention, key_dim: 4, hidden_dim: 4}
    mask: {type: exclude-labels, labels: [absent]}
optimizer: {type: adam, lr: 0.01}
training: {epochs: 2, batch_size: 8}
"""

TOY_PLUGIN = '''\
"""A loader of numbers that imports only the core: `sign` can be learned, `odd` cannot."""

from typing import Literal

import numpy as np
from pydantic import PositiveInt

from mtl_core import Corpus, InputFile, LoaderSpec, hookimpl


class Numbers(LoaderSpec):
    """Random numbers."""

    type: Literal["numbers"] = "numbers"
    examples: PositiveInt = 48
    """Number of examples."""
    extra_file: InputFile | None = None
    """A file that must exist and is not read."""

    def load(self) -> Corpus:
        rows = np.random.default_rng(0).normal(size=(self.examples, 3)).astype(np.float32)
        return Corpus(
            ids=[str(index) for index in range(self.examples)],
            inputs=list(rows),
            labels={
                "sign": ["plus" if row.sum() > 0 else "minus" for row in rows],
                "odd": ["no" if index % 3 else "yes" for index in range(self.examples)],
            },
            splits=["test" if index % 4 == 0 else "train" for index in range(self.examples)],
        )


@hookimpl
def mtl_loaders():
    return [Numbers]
'''

TOY_EXPERIMENT = """\
name: toy
data: {type: numbers, examples: 48}
split: {type: random, validation: 0.25}
encoder: {type: array, standardise: false}
backbone: {type: mlp, hidden_dims: [4]}
tasks:
  - each: "*"
    kind: {type: classification, metrics: [accuracy]}
    head: {type: linear, dropout: 0.1}
    mask: {type: exclude-labels, labels: [absent]}
optimizer: {type: adam, lr: 0.01}
training: {epochs: 2, batch_size: 8}
plugins: [toy_loader.py]
"""


def format_semeval_xml(*reviews: Review) -> str:
    """Render reviews in the format of SemEval-2014; ids count from 1."""
    sentences = []
    for number, (text, labels) in enumerate(reviews, start=1):
        categories = "".join(
            f"<aspectCategory category={quoteattr(category)} polarity={quoteattr(polarity)}/>\n"
            for category, polarity in (labels or {}).items()
        )
        block = "" if labels is None else f"<aspectCategories>\n{categories}</aspectCategories>\n"
        sentences.append(f'<sentence id="{number}">\n<text>{escape(text)}</text>\n{block}</sentence>\n')
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<sentences>\n{"".join(sentences)}</sentences>\n'


def build_reviews(verb: str) -> list[Review]:
    """Return six distinct sentences per noun, three of each polarity; another verb yields other sentences."""
    return [
        (f"The {thing} {verb} {opinion}.", {category: polarity})
        for category, things in WORDS.items()
        for thing in things
        for polarity, opinions in OPINIONS.items()
        for opinion in opinions
    ]


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Look up specs that test modules build on import in one registry, too."""
    if session.config.pluginmanager.hasplugin("dsession"):  # the process that distributes the tests imports none
        return (yield)
    with use_registry(Registry(load_plugins())):
        return (yield)


@pytest.fixture(scope="session", autouse=True)
def installed_registry() -> Iterator[None]:
    """Look up specs that tests build in Python in one registry; each would load the installed plugins otherwise."""
    with use_registry(Registry(load_plugins())):
        yield


@pytest.fixture(scope="session")
def write_reviews() -> Callable[..., Path]:
    """Return a function that writes `(text, labels)` pairs as XML.

    For example, `write_reviews(path, ("Fine soup.", {"food": "positive"}), ...)`.
    """

    def write(path: Path, *reviews: Review) -> Path:
        path.write_text(format_semeval_xml(*reviews), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory, write_reviews: Callable[..., Path]) -> Path:
    """A folder with `train.xml` (72 invented sentences) and `test.xml` (24)."""
    folder = tmp_path_factory.mktemp("reviews")
    write_reviews(folder / "train.xml", *build_reviews("was"))
    write_reviews(folder / "test.xml", *build_reviews("seemed")[::3])
    return folder


@pytest.fixture(scope="session")
def experiment(reviews: Path) -> Path:
    """A YAML file in the folder of `reviews` that trains in under a second: text, attention, three tasks."""
    path = reviews / "tiny.yaml"
    path.write_text(EXPERIMENT, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def toy_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin file with the loader `numbers`; it imports only the core and NumPy."""
    path = tmp_path_factory.mktemp("toy") / "toy_loader.py"
    path.write_text(TOY_PLUGIN, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def toy_experiment(toy_plugin: Path) -> Path:
    """A YAML file in the folder of `toy_plugin` that uses core components only: arrays, MLP, linear, two tasks."""
    path = toy_plugin.with_name("toy.yaml")
    path.write_text(TOY_EXPERIMENT, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def trained_run(experiment: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory of `experiment`."""
    from mtl_core.runs.run import run_experiment

    path = tmp_path_factory.mktemp("runs") / "tiny"
    run_experiment(load_experiment(experiment).config, path)
    return path


@pytest.fixture
def run_copy(trained_run: Path, tmp_path: Path) -> Path:
    """A copy of `trained_run` that a test may damage."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


@pytest.fixture
def mtl(capsys: pytest.CaptureFixture[str]) -> Mtl:
    """Run the command line in this process: `mtl("validate", path).stdout`."""

    def run(*arguments: object) -> CompletedProcess[str]:
        argv = [str(argument) for argument in arguments]
        capsys.readouterr()
        try:
            main(argv)
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        output = capsys.readouterr()
        return CompletedProcess(argv, code, output.out, output.err)

    return run


@pytest.fixture(scope="session")
def mtl_uncaptured() -> Mtl:
    """Run the command line in this process, for fixtures of module or session scope, which cannot use `capsys`."""

    def run(*arguments: object) -> CompletedProcess[str]:
        argv = [str(argument) for argument in arguments]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(argv)
                code = 0
            except SystemExit as stop:
                code = int(stop.code or 0)
        return CompletedProcess(argv, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="module")
def placeholder_reports() -> Iterator[Callable[..., list[Path]]]:
    """Let the commands of a module write empty reports; for modules that do not look into reports."""
    with write_placeholder_reports() as write_report:
        yield write_report


@pytest.fixture(scope="module")
def shared_pipelines() -> Iterator[None]:
    """Let all tests of a module use the same spaCy pipelines; for modules that do not test their loading."""
    from shared_pipelines import share_pipelines

    with share_pipelines():
        yield


@pytest.fixture
def complete_reports(placeholder_reports: Callable[..., list[Path]], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the commands of a test write complete reports, in a module with `placeholder_reports`."""
    monkeypatch.setattr("mtl_core.reporting.write.write_report", placeholder_reports)


@pytest.fixture(scope="session")
def mtl_process() -> Mtl:
    """Run the installed command in a subprocess; keywords are passed to `subprocess.run`."""
    command = str(Path(sysconfig.get_path("scripts")) / "mtl")

    def run(*arguments: object, env: dict[str, str] | None = None, **options: object) -> CompletedProcess[str]:
        argv = [command, *(str(argument) for argument in arguments)]
        environment = {**os.environ, **(env or {})}
        return subprocess.run(  # type: ignore[call-overload, no-any-return]
            argv, capture_output=True, text=True, env=environment, timeout=120, check=False, **options
        )

    return run


@pytest.fixture
def mtl_fork() -> Iterator[MtlFork]:
    """Start the command line in a fork of this process, to be interrupted or killed: `mtl_fork(log, "run", path)`.

    The fork has torch imported already, which takes a new process seconds. It leads a process group and writes its
    output to the file `log`. The group is killed when the test ends.
    """
    import mtl_core.runs.run  # noqa: F401  the fork inherits it

    processes: list[BaseProcess] = []

    def start(log: Path, *arguments: object) -> BaseProcess:
        argv = [str(argument) for argument in arguments]
        process = get_context("fork").Process(target=_run_command, args=(log, argv))
        process.start()
        processes.append(process)
        return process

    yield start
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()


@pytest.fixture
def forked_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands with `--jobs 2` fork their worker processes, which then do not import torch again.

    Each test module that starts worker processes has one test without this fixture.
    """
    monkeypatch.setitem(context._concrete_contexts, "spawn", get_context("fork"))  # type: ignore[attr-defined]


def _run_command(log: Path, argv: list[str]) -> None:
    """Run the command in the fork. Ctrl-C is enabled, since tests in the background may have it disabled."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout = sys.stderr = log.open("w", encoding="utf-8", buffering=1)
    for descriptor in (1, 2):
        os.dup2(sys.stdout.fileno(), descriptor)
    main(argv)


@pytest.fixture(scope="session")
def build_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Return a function that builds an expensive folder in one test process, for use by all of them.

    The function receives a name and a callable that fills the folder. Other processes wait until it is complete.
    """
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def build(name: str, fill_folder: Callable[[Path], None]) -> Path:
        target, marker = root / name, root / f"{name}.done"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not marker.exists():
                shutil.rmtree(target, ignore_errors=True)  # left by a process that failed
                target.mkdir()
                fill_folder(target)
                marker.touch()
        return target

    return build


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless browser; of module scope, since it keeps an event loop open."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    chromium = os.environ.get("CHROMIUM", "") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium (`chromium`) on the path")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as driver:
        chromium_browser = driver.chromium.launch(executable_path=chromium, args=flags)
        yield chromium_browser
        chromium_browser.close()
