"""Runs the commands of a page in a separate folder.

`mtl …` runs in this process (torch is imported once, not once per command), everything else in bash. Commands that
cannot or need not run (`make`, installations from the internet) are checked as far as possible.
"""

import contextlib
import importlib.util
import io
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import tomllib
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from pages import ROOT, Command
from placeholder_reports import write_placeholder_reports
from quick_costs import measure_costs_quickly
from servers import Servers
from shared_pipelines import share_pipelines

from mtl_core.cli.app import main

SCRIPTS = sysconfig.get_path("scripts")
SHARED = ROOT.parent / "shared"
SAMPLE = ROOT / "absa_plugin" / "sample"
TRAIN = "Restaurants_Train_v2.xml"
REAL_PATHS = {
    TRAIN: SHARED / "data" / "semeval2014" / TRAIN,
    # The gold file is not among the shared data; the sample's has the same categories.
    "Restaurants_Test_Gold.xml": SAMPLE / "test.xml",
    "en_core_web_md": SHARED / "models" / "en_core_web_md",
}
"""Names of the real data and of the pipeline with vectors in the pages, and their paths in tests."""
READER_FILES = {"reviews.csv": ROOT / "plugins" / "mtl_ratings" / "sample" / "reviews.csv"}
"""Names of a reader's files in the pages, and the files that tests use instead."""
REAL_DATA_NAMES = {"absa-article", "absa-distilled", "absa-minilm", "absa-restaurants", *REAL_PATHS}
QUICK_SETTINGS = ["training.epochs=1", "split={type: random, validation: 0.5}", "training.refit=false"]
N_SENTENCES = 500
"""Number of sentences of the real data in tests; runs train on half of them, for one epoch."""
SHORT_SETTINGS = {"training.epochs": "2", "training.refit": "false"}
"""Settings that shorten trainings of packaged experiments, unless a page sets them."""
SMALL_SPLIT = {"split": "{type: random, validation: 0.8}"}
"""A setting that uses a fifth of the examples for training, where there are enough examples."""
FEW_SCENES = {
    "data.scenes": "60",
    "data.test_scenes": "16",
    "data.size": "32",
    "encoder.size": "32",
    "training.epochs": "1",
}
"""Settings that shorten trainings on street scenes, unless a page sets them."""
MAX_EPOCHS = 5
"""Experiments of a page on the sample data are shortened if they train for more epochs than this."""
PACKAGED_EXPERIMENTS = re.compile(r"absa-sample|absa-mentions|auxiliary-sample|topic-sentiment[a-z-]*")


def needs_real_data(text: str) -> bool:
    """Return whether a block requires the real data or vectors."""
    return any(name in text for name in REAL_DATA_NAMES)


@dataclass
class Terminal:
    """A shell session that runs the commands of a page.

    Attributes:
        folder: The working directory; `cd` changes it.
        site: The folder of the packages that the page has installed.
        module: Contains the names that the page's Python blocks define.
        servers: The servers that the page has started in the background.
        complete_reports: Whether commands write complete reports, which takes longer than a short training.
    """

    folder: Path
    site: Path | None = None
    module: types.ModuleType = field(default_factory=lambda: types.ModuleType("__docs__"))
    servers: Servers = field(default_factory=Servers)
    complete_reports: bool = False

    def type(self, command: Command) -> None:
        """Run a command and compare its output with what the page shows.

        A `…` in the page matches any text, a number any number. A line that starts with `error:` requires exit
        code 2. With a line `^C`, the command is interrupted once it has saved a checkpoint.
        """
        words = shlex.split(command.text, comments=True)
        if self._check_only(words):
            return
        expected_lines = [line for line in command.output if line.strip() != "^C"]
        if len(expected_lines) < len(command.output):
            code, output = self._run_interrupted(_shorten_command(words, self.folder))
            expected = 130
        else:
            expected = 2 if any(line.startswith("error: ") for line in expected_lines) else 0
            code, output = self._run(words, command.text)
        assert code == expected, f"{command.text}: exit code {code}, expected {expected}\n{output}"
        _compare(expected_lines, output, command.text)

    def _run(self, words: list[str], text: str) -> tuple[int, str]:
        if words[-1] == "&":
            return 0, self.servers.start(words[:-1], self.folder, self._build_environment())
        if words == ["kill", "%1"]:
            self.servers.stop()
            return 0, ""
        if words[0] == "cd":
            self.folder = self.folder / words[1]
            return 0, ""
        simple = not any(word in {"|", ">", ">>", "<", ";", "&&", "do"} for word in words)
        if words[0] == "mtl" and simple:
            return self._mtl(_shorten_command(words, self.folder)[1:])
        if words[:2] == ["pip", "install"]:
            self._install(self.folder)
            return 0, ""
        if words[:2] == ["python", "-c"] and len(words) == 3:
            return self._python(words[2])
        if words[0] == "pytest" and simple:
            return self._pytest(words[1:])
        result = subprocess.run(
            ["bash", "-c", self.servers.substitute_address(text)],
            cwd=self.folder,
            env=self._build_environment(),
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        return result.returncode, result.stdout + result.stderr

    def _mtl(self, words: list[str]) -> tuple[int, str]:
        output = io.StringIO()
        with (
            contextlib.chdir(self.folder),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(output),
            self.use_installed_packages(),
            contextlib.nullcontext() if self.complete_reports else write_placeholder_reports(),
            share_pipelines(),
            measure_costs_quickly(),
        ):
            try:
                main(words)
                code = 0
            except SystemExit as stop:
                code = int(stop.code or 0)
        return code, output.getvalue()

    def _pytest(self, words: list[str]) -> tuple[int, str]:
        """Run the tests of the page in this process, and unload their modules."""
        output, loaded_modules = io.StringIO(), set(sys.modules)
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(output), self.use_installed_packages():
            code = int(pytest.main([*words, "-p", "no:cacheprovider"]))
        for name in set(sys.modules) - loaded_modules:
            file = getattr(sys.modules[name], "__file__", None)
            if file and Path(file).is_relative_to(self.folder):
                del sys.modules[name]
        return code, output.getvalue()

    def _python(self, source: str) -> tuple[int, str]:
        output = io.StringIO()
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(output), self.use_installed_packages():
            exec(compile(source, "python -c", "exec"), {"__name__": "__main__"})  # noqa: S102
        return 0, output.getvalue()

    @contextlib.contextmanager
    def use_installed_packages(self) -> Iterator[None]:
        """Make the packages of the page importable in this process, and unload them afterwards."""
        if self.site is None:
            yield
            return
        sys.path.insert(0, str(self.site))
        try:
            yield
        finally:
            sys.path.remove(str(self.site))
            module_names = {path.stem for path in self.site.iterdir()}
            for name in [name for name in sys.modules if name.partition(".")[0] in module_names]:
                del sys.modules[name]

    def _run_interrupted(self, words: list[str]) -> tuple[int, str]:
        checkpoint = self.folder / words[words.index("--out") + 1] / "checkpoint.safetensors"
        process = subprocess.Popen(
            words,
            cwd=self.folder,
            env=self._build_environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )
        deadline = time.monotonic() + 60
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        return process.returncode, output

    def _build_environment(self) -> dict[str, str]:
        path = f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"
        paths = [*([str(self.site)] if self.site else []), *filter(None, [os.environ.get("PYTHONPATH")])]
        site = {"PYTHONPATH": os.pathsep.join(paths)} if paths else {}
        return {**os.environ, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1", **site}

    def _check_only(self, words: list[str]) -> bool:
        """Check a command that is not executed here; return False if it must be executed."""
        match words:
            case ["make", *targets]:
                rules = re.findall(r"^([\w.-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
                assert set(targets) <= set(rules), f"no such target: {targets}"
            case ["pip" | "pip3", "install", *arguments]:
                return self._check_installation(arguments)
            case ["python" | "python3", "-m", "pip", "install", *arguments]:
                return self._check_installation(arguments)
            case ["python" | "python3", "-m", "spacy", "download", name]:
                assert re.fullmatch(r"[a-z]{2}_\w+_(sm|md|lg|trf)", name), name
            case ["python" | "python3", "-m", "venv", _] | ["source" | ".", _] | ["git", "clone", *_]:
                pass
            case ["python" | "python3", "-m", "benchmarks", *_]:
                assert importlib.util.find_spec("benchmarks") or (ROOT / "benchmarks" / "__main__.py").is_file()
            case ["python" | "python3", "-m", "webbrowser", page]:  # no browser is opened
                assert (self.folder / page).is_file(), page
            case ["python" | "python3", "docs/generate.py"]:
                assert (ROOT / "docs" / "generate.py").is_file()
            case _:
                return False
        return True

    def _check_installation(self, arguments: list[str]) -> bool:
        requirements = [word for word in arguments if not word.startswith("-")]
        for word in requirements:
            if word.startswith("."):
                extras = re.search(r"\[(.+)\]", word)
                project = tomllib.loads(self._find_project_file().read_text(encoding="utf-8"))["project"]
                known = project.get("optional-dependencies", {})
                assert not extras or set(extras[1].split(",")) <= set(known), f"no such extra: {word}"
            elif not word.endswith(".txt"):
                Requirement(word)
        return [re.sub(r"\[.+\]", "", word) for word in requirements] != [
            "."
        ] or self._find_project_file().parent == ROOT

    def _find_project_file(self) -> Path:
        project_file = self.folder / "pyproject.toml"
        return project_file if project_file.exists() else ROOT / "pyproject.toml"

    def _install(self, folder: Path) -> None:
        """Install a project like `pip install .`, but without a download of setuptools.

        Modules are copied; packages are linked, as by `pip install -e .`.
        """
        declared = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        project, site = declared["project"], folder / "site-packages"
        metadata = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        metadata.mkdir(parents=True)
        for module in declared["tool"]["setuptools"].get("py-modules", []):
            shutil.copy(folder / f"{module}.py", site)
        for package in declared["tool"]["setuptools"].get("packages", []):
            (site / package).symlink_to(folder / package)
        header = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        (metadata / "METADATA").write_text(header, encoding="utf-8")
        lines = [
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
            for group, entries in project["entry-points"].items()
        ]
        (metadata / "entry_points.txt").write_text("\n".join(lines), encoding="utf-8")
        self.site = site

    def python(self, source: str, filename: str) -> None:
        """Run Python code as if it were a file; the blocks of a page share their names."""
        sys.modules[self.module.__name__] = self.module
        with contextlib.chdir(self.folder), contextlib.redirect_stdout(io.StringIO()):
            exec(compile(self.servers.substitute_address(source), filename, "exec"), self.module.__dict__)  # noqa: S102


def _shorten_command(words: list[str], folder: Path) -> list[str]:
    """Shorten trainings, and replace the names of files by the paths of the real files."""
    words = [
        str(READER_FILES[word]) if word in READER_FILES and not (folder / word).exists() else word for word in words
    ]
    if not needs_real_data(" ".join(words)):
        is_training = words[1] in {"run", "compare", "sweep", "ablate"}
        return [*words, *_build_short_options(words, folder)] if is_training else words
    _write_short_training_file(folder)
    new_words = [
        _substitute(word, {name: path for name, path in REAL_PATHS.items() if name != TRAIN}) for word in words
    ]
    packaged = ROOT / "absa_plugin" / "experiments" / f"{words[2]}.yaml"
    if packaged.exists() and "en_core_web_md" in packaged.read_text(encoding="utf-8"):
        new_words += ["--set", f"encoder.pipeline={REAL_PATHS['en_core_web_md']}"]
    if words[1] == "run":
        new_words += [part for setting in QUICK_SETTINGS for part in ("--set", setting)]
    return new_words


def _build_short_options(words: list[str], folder: Path) -> Iterator[str]:
    """Yield options that shorten a training, except those that the page sets."""
    settings: dict[str, str] = {}
    if PACKAGED_EXPERIMENTS.fullmatch(words[2]):
        settings = {**SHORT_SETTINGS, **({} if words[2] == "auxiliary-sample" else SMALL_SPLIT)}
    elif words[2] == "street-scenes":
        settings = FEW_SCENES
    elif (folder / words[2]).is_file() and "sample/" in (source := (folder / words[2]).read_text(encoding="utf-8")):
        settings = SHORT_SETTINGS if yaml.safe_load(source).get("training", {}).get("epochs", 10) > MAX_EPOCHS else {}
    option_keys = {word.partition("=")[0] for word in words}
    for key, value in settings.items():
        if key not in option_keys:
            yield from ("--set", f"{key}={value}")
    if words[1] != "run" and "--jobs" not in words and not (folder / words[2]).is_dir():
        yield from ("--jobs", "1")  # another process would import torch again


def _write_short_training_file(folder: Path) -> None:
    """Write the first sentences of the real training file to the folder."""
    if not (folder / TRAIN).exists():
        head, *sentences = REAL_PATHS[TRAIN].read_text(encoding="utf-8").split("<sentence ")
        parts = [head, *sentences[:N_SENTENCES]]
        (folder / TRAIN).write_text("<sentence ".join(parts) + "</sentences>", encoding="utf-8")


def _substitute(word: str, names: Mapping[str, Path]) -> str:
    for name, path in names.items():
        word = word.replace(name, str(path))
    return word


def _normalize(line: str) -> str:
    """Normalize what differs between machines: spaces, box drawing, digits."""
    line = re.sub(r"[│┃─━…]+|\.\.\.", lambda match: "…" if match[0][0] in "….." else " ", line)
    return " ".join(re.sub(r"\d+(?:\.\d+)?", "#", line).split())


def _compare(expected_lines: list[str], output: str, command: str) -> None:
    """Assert that the output contains the lines of the page, in their order."""
    rest = [_normalize(line) for line in output.splitlines()]
    for line in expected_lines:
        pattern = re.compile(".*".join(re.escape(part.strip()) for part in _normalize(line).split("…")))
        match_index = next((index for index, actual in enumerate(rest) if pattern.fullmatch(actual)), None)
        if match_index is None:
            raise AssertionError(f"{command}: the page shows a line that the output lacks:\n{line}\n\n{output}")
        rest = rest[match_index + 1 :]
