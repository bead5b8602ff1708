"""Parts that tests everywhere share: small data, a fast experiment, a trained run, the command line.

`reviews`, `experiment`, `toy_plugin`, `toy_experiment` and `trained_run` are made once a session and must not be
changed: copy what you want to damage (`run_copy` is such a copy). Tests of the core use the toys, which need
nothing else.
"""

import os

# Models here are tiny, and threads of torch that wait for each other on a busy machine are a hundred times slower
# than one. Set before torch is imported; command lines that tests start inherit it.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["COLUMNS"] = "200"  # tables of rich are as wide as the terminal, which tests must not depend on

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

from mtl_core.cli.app import main
from mtl_core.config.load import load_experiment

Review = tuple[str, dict[str, str] | None]
"""A sentence, and category to polarity; None if it is not annotated."""
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
"""A loader of numbers that needs nothing but the core: `sign` can be learned, `odd` cannot."""

from typing import Literal

import numpy as np
from pydantic import PositiveInt

from mtl_core import Corpus, InputFile, LoaderSpec, hookimpl


class Numbers(LoaderSpec):
    """Random numbers."""

    type: Literal["numbers"] = "numbers"
    examples: PositiveInt = 48
    """How many."""
    beside: InputFile | None = None
    """A file that must exist, and is not read."""

    def load(self) -> Corpus:
        rows = np.random.default_rng(0).normal(size=(self.examples, 3)).astype(np.float32)
        return Corpus(
            ids=[str(index) for index in range(self.examples)],
            inputs=list(rows),
            labels={
                "sign": ["plus" if row.sum() > 0 else "minus" for row in rows],
                "odd": ["no" if index % 3 else "yes" for index in range(self.examples)],
            },
            parts=["test" if index % 4 == 0 else "train" for index in range(self.examples)],
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


def semeval_xml(*reviews: Review) -> str:
    """Write reviews in the format of SemEval-2014, ids counted from 1."""
    sentences = []
    for number, (text, labels) in enumerate(reviews, start=1):
        named = "".join(
            f"<aspectCategory category={quoteattr(category)} polarity={quoteattr(polarity)}/>\n"
            for category, polarity in (labels or {}).items()
        )
        block = "" if labels is None else f"<aspectCategories>\n{named}</aspectCategories>\n"
        sentences.append(f'<sentence id="{number}">\n<text>{escape(text)}</text>\n{block}</sentence>\n')
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<sentences>\n{"".join(sentences)}</sentences>\n'


def invented_reviews(verb: str) -> list[Review]:
    """Six sentences a thing, three of either polarity; all differ, and differ again with another verb."""
    return [
        (f"The {thing} {verb} {opinion}.", {category: polarity})
        for category, things in WORDS.items()
        for thing in things
        for polarity, opinions in OPINIONS.items()
        for opinion in opinions
    ]


@pytest.fixture(scope="session")
def write_reviews() -> Callable[..., Path]:
    """Write `(text, labels)` pairs as XML: `write_reviews(path, ("Fine soup.", {"food": "positive"}), ...)`."""

    def write(path: Path, *reviews: Review) -> Path:
        path.write_text(semeval_xml(*reviews), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def reviews(tmp_path_factory: pytest.TempPathFactory, write_reviews: Callable[..., Path]) -> Path:
    """A folder with `train.xml` (72 invented sentences) and `test.xml` (24)."""
    folder = tmp_path_factory.mktemp("reviews")
    write_reviews(folder / "train.xml", *invented_reviews("was"))
    write_reviews(folder / "test.xml", *invented_reviews("seemed")[::3])
    return folder


@pytest.fixture(scope="session")
def experiment(reviews: Path) -> Path:
    """A YAML file beside `reviews` that trains in a fraction of a second: text, attention, three tasks."""
    path = reviews / "tiny.yaml"
    path.write_text(EXPERIMENT, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def toy_plugin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plugin file with the loader `numbers`; it imports nothing but the core and NumPy."""
    path = tmp_path_factory.mktemp("toy") / "toy_loader.py"
    path.write_text(TOY_PLUGIN, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def toy_experiment(toy_plugin: Path) -> Path:
    """A YAML file beside `toy_plugin` that uses the core's own parts only: arrays, MLP, linear, two tasks."""
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
    """A copy of `trained_run` to damage."""
    return Path(shutil.copytree(trained_run, tmp_path / "run"))


@pytest.fixture
def mtl(capsys: pytest.CaptureFixture[str]) -> Mtl:
    """The command line, in this process: `mtl("validate", path).stdout`."""

    def run(*arguments: object) -> CompletedProcess[str]:
        words = [str(argument) for argument in arguments]
        capsys.readouterr()
        try:
            main(words)
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return CompletedProcess(words, code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def mtl_early() -> Mtl:
    """The same for fixtures that are made once a module, where pytest captures nothing yet."""

    def run(*arguments: object) -> CompletedProcess[str]:
        words = [str(argument) for argument in arguments]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                main(words)
                code = 0
            except SystemExit as stop:
                code = int(stop.code or 0)
        return CompletedProcess(words, code, out.getvalue(), err.getvalue())

    return run


@pytest.fixture(scope="session")
def mtl_process() -> Mtl:
    """The installed command, in a process of its own; keywords go to `subprocess.run`."""
    command = str(Path(sysconfig.get_path("scripts")) / "mtl")

    def run(*arguments: object, env: dict[str, str] | None = None, **options: object) -> CompletedProcess[str]:
        words = [command, *(str(argument) for argument in arguments)]
        merged = {**os.environ, **(env or {})}
        return subprocess.run(  # type: ignore[call-overload]
            words, capture_output=True, text=True, env=merged, timeout=120, check=False, **options
        )

    return run


@pytest.fixture
def mtl_fork() -> Iterator[MtlFork]:
    """The command line in a copy of this process, to be interrupted or killed: `mtl_fork(log, "run", path)`.

    It has torch imported already, which costs another process seconds. It is the first of a process group, and what
    it says is in the file `log`. The group is gone when the test is over.
    """
    import mtl_core.runs.run  # noqa: F401  the copy has it, too

    started: list[BaseProcess] = []

    def start(log: Path, *arguments: object) -> BaseProcess:
        words = [str(argument) for argument in arguments]
        process = get_context("fork").Process(target=_command, args=(log, words))
        process.start()
        started.append(process)
        return process

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid or 0, signal.SIGKILL)
        process.join()


@pytest.fixture
def copied_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets commands with `--jobs 2` start copies of their process, which need not import torch again for seconds.

    Of every file that starts new processes, one test leaves it as it is.
    """
    monkeypatch.setitem(context._concrete_contexts, "spawn", get_context("fork"))  # type: ignore[attr-defined]


def _command(log: Path, words: list[str]) -> None:
    """What the copy does. Ctrl-C may be switched off where tests are started in the background."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.stdout = sys.stderr = log.open("w", encoding="utf-8", buffering=1)
    for descriptor in (1, 2):
        os.dup2(sys.stdout.fileno(), descriptor)
    main(words)


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[Path], None]], Path]:
    """Let something dear be made by one of the processes that run tests, and be used by all of them.

    What is given makes it in the folder that it is told; whoever comes later waits until it is complete.
    """
    base = tmp_path_factory.getbasetemp()
    root = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def made(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = root / name, root / f"{name}.done"
        with (root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)  # of a process that failed on the way
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A real browser without a window; not for the whole session, since it holds an event loop open."""
    playwright = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    chromium = os.environ.get("CHROMIUM", "") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("there is no Chromium (`chromium`) on the path")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=chromium, args=flags)
        yield opened
        opened.close()
