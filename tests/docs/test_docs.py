"""Every example of the documentation works, and the reference is complete."""

import ast
import importlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from console import REAL_PATHS, SHARED, Terminal, needs_real_data
from pages import DOCS, NAMES, PAGES, ROOT, Block, parse_blocks, parse_commands

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import load_experiment
from mtl_core.errors import MtlError
from mtl_core.experiments.sweep.validate_space import validate_space
from mtl_core.plugins import hookspecs
from mtl_core.plugins.extension_points import EXTENSION_POINTS
from mtl_core.plugins.loading import HOOKS, load_plugins
from mtl_core.plugins.registry import Registry

SAMPLE = ROOT / "absa_plugin" / "experiments" / "absa-sample.yaml"
MACHINE_PATH = re.compile(r"(?<![\w.])(?:/(?:work|tmp|root|home|opt|usr|mnt|Users)/|[A-Z]:\\)")
PAGES_ON_REPORTS = {"first-run", "report"}
"""Pages whose commands write complete reports."""
every_page = pytest.mark.parametrize("page", PAGES, ids=NAMES)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in a folder that looks like a checkout where pages need one."""
    for name in ("examples", "docs"):
        (tmp_path / name).symlink_to(ROOT / name)
    shell = Terminal(tmp_path)
    yield shell
    shell.servers.stop()


def _is_runnable(page: Path) -> bool:
    return any(block.language in {"console", "python", "yaml", "toml"} for block in parse_blocks(page))


@pytest.mark.parametrize("page", [page for page in PAGES if _is_runnable(page)], ids=lambda page: page.stem)
def test_every_block_of_a_page_works(page: Path, terminal: Terminal) -> None:
    terminal.complete_reports = page.stem in PAGES_ON_REPORTS
    for block in parse_blocks(page):
        if block.title:
            path = terminal.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        if block.language == "yaml":
            _check_yaml(block, terminal)
        elif block.language == "python" and block.title:
            ast.parse(block.text)
        elif block.language == "python" and not _is_signature(block):
            terminal.python(block.text, f"{page.name}:{block.line}")
        elif block.language == "console" and not needs_real_data(block.text):
            for command in parse_commands(block):
                terminal.type(command)


def _is_signature(block: Block) -> bool:
    return bool(re.fullmatch(r"def (.*|\w+\(\n.*\n\) -> .*): \.\.\.\n", block.text))


REAL_BLOCKS = [
    pytest.param(page, block, id=f"{page.stem}:{block.line}")
    for page in PAGES
    for block in parse_blocks(page)
    if block.language == "console" and needs_real_data(block.text)
]


@pytest.mark.shared
@pytest.mark.parametrize(("page", "block"), REAL_BLOCKS)
def test_every_command_on_the_real_data_works(page: Path, block: Block, terminal: Terminal) -> None:
    missing = [name for name, path in REAL_PATHS.items() if not path.exists()]
    if missing:
        pytest.skip(f"{', '.join(missing)} not found in {SHARED.name}/ beside the checkout")
    for command in parse_commands(block):
        terminal.type(command)


def _check_yaml(block: Block, terminal: Terminal) -> None:
    """Validate a complete experiment as it is, and a partial one merged into the sample experiment."""
    value = yaml.safe_load(block.text)
    assert set(value) <= set(ExperimentConfig.model_fields), f"line {block.line}: not an experiment's keys"
    if {"encoder", "backbone", "tasks"} <= set(value) and {"data", "data_sets"} & set(value):
        path, source = terminal.folder / (block.title or "block.yaml"), block.text
    else:
        sample = yaml.safe_load(SAMPLE.read_text(encoding="utf-8"))
        path, source = terminal.folder / "part.yaml", json.dumps({**sample, **value})
    path.write_text(source, encoding="utf-8")
    with terminal.use_installed_packages():
        loaded = load_experiment(path)
        if loaded.config.sweep is not None:
            validate_space(loaded)


def test_blocks_are_recognized() -> None:
    """Without blocks, the two tests above would pass."""
    all_blocks = [block for page in PAGES for block in parse_blocks(page)]
    for language, minimum in {"console": 20, "python": 10, "yaml": 10, "toml": 1}.items():
        assert sum(block.language == language for block in all_blocks) >= minimum, language
    fences = sum(page.read_text(encoding="utf-8").count("```") for page in PAGES)
    assert fences == 2 * len(all_blocks)


@pytest.mark.parametrize(
    "page",
    [
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ printf 'a\\nb\\n'\nb\na\n```\n",
        "```console\n$ false\n```\n",
        "```console\n$ mtl validate absa-sample\nerror: it is valid\n```\n",
        "```console\n$ mtl validate absa-sampel\n```\n",
        "```console\n$ make coffee\n```\n",
        "```console\n$ pip install -e '.[coffee]'\n```\n",
        "```python\nassert 1 == 2\n```\n",
        "```yaml\nbackbone: {type: bilstm, hidden_dims: 3}\n```\n",
        "```yaml\ncoffee: black\n```\n",
    ],
)
def test_wrong_page_fails(page: str, tmp_path: Path, terminal: Terminal) -> None:
    path = tmp_path / "page.md"
    path.write_text(page, encoding="utf-8")
    with pytest.raises((AssertionError, MtlError)):
        test_every_block_of_a_page_works(path, terminal)


@pytest.fixture(scope="module")
def reference_pages() -> dict[str, str]:
    """The reference pages as `docs/generate.py` writes them now."""
    sys.path.insert(0, str(DOCS))
    try:
        import generate
    finally:
        sys.path.remove(str(DOCS))
    return {name: page() for name, page in generate.PAGES.items()}


@pytest.mark.parametrize("name", ["hooks.md", "options.md", "cli.md"])
def test_generated_pages_are_up_to_date(name: str, reference_pages: dict[str, str]) -> None:
    committed = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert committed == reference_pages[name], f"run `python docs/generate.py` ({name} is out of date)"


def _read_reference(name: str) -> str:
    return (DOCS / "reference" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_with_its_signature(hook: str) -> None:
    source = Path(hookspecs.__file__).read_text(encoding="utf-8")
    signature = re.search(rf"^def {hook}\(.*?\) -> .*?:(?=\s)", source, re.MULTILINE)
    assert signature
    assert signature[0] in _read_reference("hooks.md")


@pytest.mark.parametrize("extension_point", EXTENSION_POINTS.values(), ids=list(EXTENSION_POINTS))
def test_every_method_of_a_spec_is_documented(extension_point: Any) -> None:
    text = _read_reference("hooks.md")
    for name in vars(extension_point.base):
        if not name.startswith(("_", "model_")):
            assert f"`{extension_point.base.__name__}.{name}`" in text


def test_every_type_and_key_is_documented() -> None:
    """Compares with the registry, not with the script that writes the page."""
    text = _read_reference("options.md")
    registry = Registry(load_plugins())
    for extension_point in EXTENSION_POINTS:
        for name, specs in registry.get_specs(extension_point).items():
            if not specs[0].origin.endswith("of mtl-core"):
                continue
            heading = f"### `{name}` {{ #{extension_point}-{name} }}"
            assert heading in text
            section = re.split(r"^##", text.split(heading)[1], maxsplit=1, flags=re.MULTILINE)[0]
            for key, field in specs[0].spec.model_fields.items():
                if field.exclude:  # only Python sets it
                    continue
                assert key == "type" or f"| `{key}` | " in section, f"{extension_point}.{name}.{key}"
                assert field.description is None or " ".join(field.description.split()) in section


PUBLIC_MODULES = ("", "data", "nn", "training", "runs", "reporting", "testing")
_DIRECTIVE = re.compile(r"^::: [\w.]+\.(\w+)$", re.MULTILINE)
_TABLE_ROW = re.compile(r"^\| (`\w+`(?:, `\w+`)*) \|", re.MULTILINE)
_BASE_CLASS = re.compile(r"^Base class: `(\w+)`", re.MULTILINE)


def _list_documented_names() -> set[str]:
    """List the names that `python.md` and `testing.md` describe."""
    text = _read_reference("python.md")
    rows = [name for cell in _TABLE_ROW.findall(text) for name in re.findall(r"\w+", cell)]
    return {*rows, *_DIRECTIVE.findall(text), *_DIRECTIVE.findall(_read_reference("testing.md"))}


@pytest.mark.parametrize("name", PUBLIC_MODULES)
def test_every_public_name_is_documented(name: str) -> None:
    module = importlib.import_module(f"mtl_core.{name}".rstrip("."))
    base_classes = _BASE_CLASS.findall(_read_reference("hooks.md"))
    documented_names = {*_list_documented_names(), *base_classes, "hookimpl"}
    assert f"`{module.__name__}`" in _read_reference("python.md")
    assert not set(module.__all__) - documented_names, "describe these names in docs/reference/python.md"


def test_every_documented_name_is_public() -> None:
    modules = [importlib.import_module(f"mtl_core.{name}".rstrip(".")) for name in PUBLIC_MODULES]
    assert not _list_documented_names() - {name for module in modules for name in module.__all__}


def test_every_command_and_option_is_documented(mtl: Any) -> None:
    text = _read_reference("cli.md")
    names = re.findall(r"^[│|] (\w[\w-]*)  ", mtl("--help").stdout, re.MULTILINE)
    assert {"run", "predict"} <= set(names)
    n_options = 0
    for name in names:
        section = text.split(f"## mtl {name}\n")[1].split("\n## ")[0]
        options = set(re.findall(r"(?<!\S)(--[a-z-]+)(?=\s)", mtl(name, "--help").stdout)) - {"--help"}
        n_options += len(options)
        for option in options:
            assert re.search(rf"`{option}[ `]", section), f"mtl {name} {option}"
    assert n_options > 10


def _iterate_keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _iterate_keys(item)


def test_every_key_of_a_run_directory_is_documented(trained_run: Path) -> None:
    text = _read_reference("run-directory.md")
    for path in trained_run.iterdir():
        assert f"`{path.name}`" in text
    metrics = json.loads((trained_run / "metrics.json").read_text(encoding="utf-8"))
    first = json.loads((trained_run / "predictions.jsonl").read_text(encoding="utf-8").splitlines()[0])
    state = json.loads((trained_run / "state.json").read_text(encoding="utf-8"))
    names = {*metrics["data"]["examples"], *metrics["splits"]["test"]["tasks"], *first["tasks"]}
    classes = {"positive", "negative", "neutral", "conflict", "absent"}
    keys = {*_iterate_keys(metrics), *_iterate_keys(first), *state, *state["tasks"][0]} - names - classes
    keys |= set((trained_run / "history.csv").read_text(encoding="utf-8").split("\n")[0].split(",")[:3])
    assert not {key for key in keys if f"`{key}`" not in text}


_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def _find_anchors(page: Path) -> set[str]:
    anchors = set()
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        explicit_anchor = re.search(r"\{ ?#([\w-]+) ?\}", heading)
        title = re.sub(r"[^\w\s-]", "", re.sub(r"`|\{.*\}", "", heading)).strip().lower()
        anchors.add(explicit_anchor[1] if explicit_anchor else re.sub(r"[\s-]+", "-", title))
    return anchors


@every_page
def test_links_are_valid(page: Path) -> None:
    for link in _LINK.findall(re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), link
        assert not anchor or anchor in _find_anchors(path), link


@every_page
def test_no_page_contains_a_machine_specific_path(page: Path) -> None:
    assert not MACHINE_PATH.search(page.read_text(encoding="utf-8"))


def test_site_builds_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="the documentation's tools are not installed (extra `docs`)")
    result = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr
    built = list((tmp_path / "site").rglob("*.html"))
    assert len(built) > len(PAGES) / 2
    for path in built:
        for tag in re.findall(r"<(?:script|link|img|iframe|source)\b[^>]*>", path.read_text(encoding="utf-8")):
            assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", tag) or 'rel="canonical"' in tag, tag


@pytest.mark.parametrize("name", ["data", "encoder", "backbone", "tasks"])
def test_the_four_keys_of_the_first_example_are_all_needed(name: str, tmp_path: Path, mtl: Any) -> None:
    sample = yaml.safe_load(next(b.text for b in parse_blocks(DOCS / "index.md") if b.language == "yaml"))
    del sample[name]
    path = tmp_path / "short.yaml"
    path.write_text(json.dumps(sample), encoding="utf-8")
    result = mtl("validate", path)
    assert result.returncode == 2
    assert f"{name}: required, but missing" in result.stderr
