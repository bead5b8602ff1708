"""Detection of heavy imports: modules are imported in a fresh interpreter."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

from mtl_core.specs import Spec

HEAVY = ("torch", "torchmetrics", "spacy", "transformers", "sklearn", "scipy", "pandas", "pyarrow")
"""Packages that are slow to import; modules of specs import them inside `build`."""

_SCRIPT = """
import importlib, json, runpy, sys
heavy, modules = json.loads(sys.argv[1])
for name, path in modules:
    try:
        if name == "__main__":
            raise ModuleNotFoundError(name=name)
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name != name.partition(".")[0] or not path:
            raise
        runpy.run_path(path)
print("imported:" + json.dumps([name for name in heavy if name in sys.modules]))
"""


def heavy_imports(module: str) -> list[str]:
    """Return the heavy packages that importing a module imports.

    All modules of the package that define specs are first imported together, in one interpreter; only if they
    import a heavy package, the module is imported separately.

    Raises:
        AssertionError: If the module cannot be imported.
    """
    package = module.partition(".")[0]
    family = {spec.__module__ for spec in _subclasses(Spec)}
    known = tuple(sorted({module, *(name for name in family if name.partition(".")[0] == package)}))
    return [] if len(known) > 1 and not _brought(known, strict=False) else _brought((module,), strict=True)


@cache
def _brought(modules: Sequence[str], strict: bool) -> list[str]:
    files = [(name, getattr(sys.modules.get(name), "__file__", None)) for name in modules]
    done = subprocess.run(  # noqa: S603  the same interpreter and a constant script
        [sys.executable, "-c", _SCRIPT, json.dumps([HEAVY, files])],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    answer = done.stdout.rpartition("imported:")[2]
    if done.returncode or not answer:
        if not strict:
            return ["unknown"]
        last = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise AssertionError(f"expected a fresh interpreter to import '{modules[0]}', found: {last[0]}")
    found: list[str] = json.loads(answer)
    return found


def _subclasses(spec: type[Spec]) -> list[type[Spec]]:
    return [one for direct in spec.__subclasses__() for one in (direct, *_subclasses(direct))]
