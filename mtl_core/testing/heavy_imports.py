"""Detection of heavy imports: modules are imported in a fresh interpreter."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from functools import cache

from mtl_core.plugins.specs import Spec

HEAVY_PACKAGES = ("torch", "torchmetrics", "spacy", "transformers", "sklearn", "scipy", "pandas", "pyarrow")
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


def find_heavy_imports(module: str) -> list[str]:
    """Return the heavy packages that importing a module imports.

    All modules of the package that define specs are first imported together, in one interpreter; only if they
    import a heavy package, the module is imported separately.

    Raises:
        AssertionError: If the module cannot be imported.
    """
    package = module.partition(".")[0]
    spec_modules = {spec.__module__ for spec in _subclasses(Spec)}
    package_modules = tuple(sorted({module, *(name for name in spec_modules if name.partition(".")[0] == package)}))
    return (
        []
        if len(package_modules) > 1 and not _import_in_subprocess(package_modules, strict=False)
        else _import_in_subprocess((module,), strict=True)
    )


@cache
def _import_in_subprocess(modules: Sequence[str], strict: bool) -> list[str]:
    files = [(name, getattr(sys.modules.get(name), "__file__", None)) for name in modules]
    process = subprocess.run(  # noqa: S603  the same interpreter and a constant script
        [sys.executable, "-c", _SCRIPT, json.dumps([HEAVY_PACKAGES, files])],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    output = process.stdout.rpartition("imported:")[2]
    if process.returncode or not output:
        if not strict:
            return ["unknown"]
        last_line = process.stderr.strip().splitlines()[-1:] or ["no message"]
        raise AssertionError(f"expected a fresh interpreter to import '{modules[0]}', found: {last_line[0]}")
    packages: list[str] = json.loads(output)
    return packages


def _subclasses(spec: type[Spec]) -> list[type[Spec]]:
    return [
        subclass
        for direct_subclass in spec.__subclasses__()
        for subclass in (direct_subclass, *_subclasses(direct_subclass))
    ]
