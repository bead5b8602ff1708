"""Mutation testing with mutmut: change one operator, constant or argument at a time, and see whether a test fails.

`[tool.mutation]` in `pyproject.toml` lists the areas: modules, and the fast tests that check them. Each area is copied
to a folder of its own in `build/mutation`, since mutmut runs one set of tests per folder. A second run of an area tests
only survivors, and mutants of functions that have changed; delete the folder to test all mutants again.

Survivors that no test can kill are in `benchmarks/equivalent_mutants.toml`, each with the reason.
"""

import argparse
import difflib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent
WORK_DIR = ROOT / "build" / "mutation"
PACKAGE_ROOTS = (ROOT, ROOT / "plugins")
KILLED_EXIT_CODES = frozenset({1, 3, -24, 24, 36, 152, 255})
"""Exit codes of killed mutants; all except 1 and 3 mean that the tests took far longer than without the mutation."""
FAST_TESTS_FIRST = '''
import json
from pathlib import Path


def pytest_collection_modifyitems(items):
    """Run the fastest test files first, and in each file the fastest tests, since the first failure is enough."""
    stats = Path("mutmut-stats.json")
    if stats.exists():
        durations = json.loads(stats.read_text(encoding="utf-8"))["duration_by_test"]
        seconds = {item: durations.get(item.nodeid, 0.0) for item in items}
        files = {}
        for item in items:
            files.setdefault(item.path, []).append(seconds[item])
        items.sort(key=lambda item: (sum(files[item.path]) / len(files[item.path]), str(item.path), seconds[item]))
'''
"""The file `conftest.py` of each folder."""
Change = tuple[str, str]
"""The changed lines of a function before and after the mutation, without indentation."""


@dataclass(frozen=True)
class Area:
    """Modules that are mutated together.

    Attributes:
        name: The name of the area.
        modules: Patterns of files, relative to the folder that contains the package.
        tests: The test files that check them.
    """

    name: str
    modules: Sequence[str]
    tests: Sequence[str]

    @property
    def packages(self) -> list[str]:
        """The packages of the modules."""
        return sorted({pattern.split("/")[0] for pattern in self.modules})


@dataclass
class ModuleResult:
    """The mutants of one module.

    Attributes:
        n_mutants: Number of tested mutants.
        n_killed: Number of mutants for which a test fails.
        n_equivalent: Number of surviving mutants with a reason why no test can kill them.
        survivors: Name and change of each other surviving mutant.
        n_untested: Number of mutants that are not yet tested.
    """

    n_mutants: int = 0
    n_killed: int = 0
    n_equivalent: int = 0
    survivors: list[tuple[str, Change]] = field(default_factory=list)
    n_untested: int = 0


@dataclass(frozen=True)
class Equivalents:
    """Mutants that no test can kill.

    Attributes:
        mutants: Module, and lines before and after the mutation.
        patterns: Text whose change has no effect.
    """

    mutants: frozenset[tuple[str, str, str]]
    patterns: Sequence[re.Pattern[str]]

    @classmethod
    def load(cls, path: Path) -> "Equivalents":
        """Read the file of equivalent mutants."""
        with path.open("rb") as file:
            entries = tomllib.load(file)
        return cls(
            frozenset((entry["module"], entry["before"], entry["after"]) for entry in entries["mutants"]),
            [re.compile(rule["pattern"]) for rule in entries["rules"]],
        )

    def contains(self, module: str, change: Change) -> bool:
        """Return whether a mutant is equivalent to the code."""
        before, after = change
        return (module, before, after) in self.mutants or any(
            pattern.sub("", before) == pattern.sub("", after) for pattern in self.patterns
        )


def main() -> None:
    """Run mutation testing for the areas on the command line, or for all, and print a table."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        settings = tomllib.load(file)["tool"]["mutation"]
    areas = {name: Area(name, **keys) for name, keys in settings["areas"].items()}
    parser = argparse.ArgumentParser(prog="python -m benchmarks mutation", description=main.__doc__)
    parser.add_argument("areas", nargs="*", metavar="AREA", help=f"known: {', '.join(areas)}")
    parser.add_argument("--report-only", action="store_true", help="only print the results of earlier runs")
    arguments = parser.parse_args(sys.argv[2:])
    if unknown := set(arguments.areas) - set(areas):
        parser.error(f"unknown: {', '.join(sorted(unknown))} (known: {', '.join(areas)})")
    equivalents = Equivalents.load(ROOT / "benchmarks" / "equivalent_mutants.toml")
    results: dict[str, ModuleResult] = {}
    for name in arguments.areas or areas:
        area = areas[name]
        if not arguments.report_only:
            _prepare_folder(area, settings["do_not_mutate_patterns"])
            _run_mutmut(area)
        results |= _read_results(WORK_DIR / name / "mutants", equivalents)
    _print_results(results)


def _prepare_folder(area: Area, do_not_mutate_patterns: Sequence[str]) -> None:
    """Copy the packages and the tests of an area, and write the settings of mutmut."""
    folder = WORK_DIR / area.name
    folder.mkdir(parents=True, exist_ok=True)
    for package in area.packages:
        source = next(root / package for root in PACKAGE_ROOTS if (root / package).is_dir())
        _mirror(source, folder / package)
    _mirror(ROOT / "tests", folder / "tests")
    # mutmut copies each file only once, so that files which are not mutated would be those of the first run.
    for path in (folder / "mutants").glob("**/*.py"):
        relative_path = path.relative_to(folder / "mutants")
        if relative_path.parts[0] in area.packages and not path.with_suffix(".py.meta").exists():
            _mirror(folder / relative_path, path)
    _forget_survivors(folder / "mutants")
    (folder / "conftest.py").write_text(FAST_TESTS_FIRST, encoding="utf-8")
    with (ROOT / "pyproject.toml").open("rb") as file:
        pytest_settings = tomllib.load(file)["tool"]["pytest"]["ini_options"]
    mutmut_settings = {
        "source_paths": area.packages,
        "also_copy": ["conftest.py"],
        "only_mutate": list(area.modules),
        "do_not_mutate_patterns": list(do_not_mutate_patterns),
        "pytest_add_cli_args": ["-p", "no:cacheprovider", "-p", "no:unraisableexception", "--hypothesis-seed=0"],
        "pytest_add_cli_args_test_selection": list(area.tests),
        "use_git_change_detection": False,
        "on_dependency_change": "ignore",
        "track_dependencies": False,
        "timeout_constant": 3.0,
        "process_isolation": "fork",
    }
    tables = {"pytest.ini_options": pytest_settings, "mutmut": mutmut_settings}
    lines: list[str] = []
    for name, table in tables.items():
        lines += [f"[tool.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items()), ""]
    (folder / "pyproject.toml").write_text("\n".join(lines), encoding="utf-8")


def _forget_survivors(mutants: Path) -> None:
    """Let mutmut test the survivors of an earlier run again, since there may be new tests for them."""
    for path in mutants.glob("**/*.meta"):
        meta = json.loads(path.read_text(encoding="utf-8"))
        for name, exit_code in meta["exit_code_by_key"].items():
            if exit_code not in KILLED_EXIT_CODES:
                meta["exit_code_by_key"][name] = None
        path.write_text(json.dumps(meta, indent=4), encoding="utf-8")


def _mirror(source: Path, target: Path) -> None:
    """Copy a file or a folder if it has changed, and delete files that the source does not have."""
    if source.is_file():
        if not target.exists() or target.read_bytes() != source.read_bytes():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    elif source.is_dir():
        names = {path.name for path in source.iterdir() if path.name != "__pycache__"}
        for path in target.iterdir() if target.exists() else ():
            if path.name not in names and path.is_file():
                path.unlink()
        for name in names:
            _mirror(source / name, target / name)


def _run_mutmut(area: Area) -> None:
    """Run mutmut in one process with one thread; a fork with more threads may wait for one that does not exist."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [str(Path(sys.executable).parent / "mutmut"), "run", "--max-children", "1"]
    subprocess.run(command, cwd=WORK_DIR / area.name, env=environment, check=True)


def _read_results(mutants: Path, equivalents: Equivalents) -> dict[str, ModuleResult]:
    """Read the result of every module in a folder of mutmut."""
    results: dict[str, ModuleResult] = {}
    for path in sorted(mutants.glob("**/*.meta")):
        module = path.relative_to(mutants).as_posix().removesuffix(".meta")
        exit_codes: Mapping[str, int | None] = json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        result = ModuleResult()
        for name, exit_code in exit_codes.items():
            if exit_code is None:
                result.n_untested += 1
                continue
            result.n_mutants += 1
            if exit_code in KILLED_EXIT_CODES:
                result.n_killed += 1
                continue
            change = _read_change(path.with_suffix(""), name.rpartition(".")[2])
            if equivalents.contains(module, change):
                result.n_equivalent += 1
            else:
                result.survivors.append((name, change))
        if exit_codes:
            results[module] = result
    return results


def _read_change(mutated_file: Path, mutant_name: str) -> Change:
    """Return the lines that differ between a function and its mutant, both of which mutmut writes to one file."""
    spans = json.loads(Path(f"{mutated_file}.spans").read_text(encoding="utf-8"))["spans"]
    lines = mutated_file.read_text(encoding="utf-8").splitlines()
    original_name = f"{mutant_name.partition('__mutmut_')[0]}__mutmut_orig"
    original, mutated = (
        [line.strip().replace(name, "f") for line in lines[start - 1 : end]]
        for name, (start, end) in ((name, spans[name]) for name in (original_name, mutant_name))
    )
    diff = list(difflib.ndiff(original, mutated))
    return _join_lines(diff, "-"), _join_lines(diff, "+")


def _join_lines(diff: Sequence[str], sign: str) -> str:
    return " ".join(line[2:] for line in diff if line.startswith(f"{sign} "))


def _print_results(results: Mapping[str, ModuleResult]) -> None:
    for name, (before, after) in _list_survivors(results):
        print(f"\nsurvived: {name}\n  - {before}\n  + {after}")
    print("\n| module | mutants | killed | equivalent | other survivors | killed, of those that are not equivalent |")
    print("| --- | --- | --- | --- | --- | --- |")
    total: Counter[str] = Counter()
    for module, result in results.items():
        numbers = {
            "mutants": result.n_mutants,
            "killed": result.n_killed,
            "equivalent": result.n_equivalent,
            "survivors": len(result.survivors),
        }
        total.update(numbers)
        untested = f" ({result.n_untested} not yet tested)" if result.n_untested else ""
        print(f"| `{module}`{untested} | {_format_row(numbers)} |")
    print(f"| total | {_format_row(total)} |")


def _list_survivors(results: Mapping[str, ModuleResult]) -> Iterator[tuple[str, Change]]:
    for result in results.values():
        yield from result.survivors


def _format_row(numbers: Mapping[str, int]) -> str:
    n_killable = numbers["mutants"] - numbers["equivalent"]
    share = f"{100 * numbers['killed'] / n_killable:.0f} %" if n_killable else "-"
    return " | ".join([*(str(numbers[key]) for key in ("mutants", "killed", "equivalent", "survivors")), share])
