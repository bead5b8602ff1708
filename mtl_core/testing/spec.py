"""Checks of every spec: the YAML block of a part, and the packages that its module imports."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from mtl_core.plugins.specs import Spec
from mtl_core.testing.checks import Checks, expect, fail

_TYPE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def spec_checks(spec: Spec | type[Spec]) -> Checks:
    """See `mtl_core.testing.spec_checks`."""
    spec_class = spec if isinstance(spec, type) else type(spec)
    instance = None if isinstance(spec, type) else spec
    checks = Checks(spec_class.type_name())
    checks.add(
        "type-name", "`type` is one literal and its default, in lower case.", lambda: _check_type_name(spec_class)
    )
    checks.add("docstring", "It has a docstring, which `mtl plugins` prints.", lambda: _check_docstring(spec_class))
    checks.add(
        "keys-documented",
        "Every key has a docstring, which becomes documentation.",
        lambda: _check_key_docstrings(spec_class),
    )
    checks.add("unknown-keys", "An unknown key is refused.", lambda: _check_unknown_key(spec_class, instance))
    checks.add("schema", "It has a JSON Schema, for completion in editors.", lambda: _check_schema(spec_class))
    if hasattr(sys.modules[spec_class.__module__], "__file__"):
        description = "Its module imports no heavy package, since `mtl --help` imports the module."
        checks.add("light-import", description, lambda: _check_light_import(spec_class))
    else:
        checks.skip("light-import", "it is not defined in a file")
    required = [name for name, field in spec_class.model_fields.items() if field.is_required()]
    if instance is None and required:
        reason = f"{', '.join(required)}: required, but the suite received a class instead of a spec"
        checks.skip("defaults", reason)
        checks.skip("round-trip", reason)
        return checks
    checks.add("defaults", "The defaults of its keys are valid values.", lambda: _check_defaults(spec_class, instance))
    checks.add(
        "round-trip", "Dumped and validated again, it is equal.", lambda: _check_round_trip(spec_class, instance)
    )
    return checks


def _check_type_name(spec_class: type[Spec]) -> None:
    field = spec_class.model_fields["type"]
    expected = 'expected `type: Literal["some-name"] = "some-name"`'
    literal = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    expect(literal == (field.default,), f"{expected}, found {field.annotation} = {field.default!r}")
    message = f"expected lower-case letters, digits and hyphens, found {field.default!r}"
    expect(isinstance(field.default, str) and _TYPE_NAME.fullmatch(field.default), message)


def _check_docstring(spec_class: type[Spec]) -> None:
    first = (vars(spec_class).get("__doc__") or "").strip().partition("\n")[0]
    expect(first, f"expected {spec_class.__name__} to have a docstring, found none")


def _check_key_docstrings(spec_class: type[Spec]) -> None:
    undocumented = [
        name
        for name, field in spec_class.model_fields.items()
        if name != "type" and not (field.description or "").strip()
    ]
    expect(not undocumented, f"expected a docstring below every key, found none below: {', '.join(undocumented)}")


def _check_unknown_key(spec_class: type[Spec], instance: Spec | None) -> None:
    try:
        spec_class.model_validate({**_dump_explicit_fields(spec_class, instance), "no_such_key": 1})
    except ValidationError as error:
        if any(line["loc"] == ("no_such_key",) for line in error.errors()):
            return
    fail("expected an unknown key to be refused, found it accepted (is `extra` allowed in `model_config`?)")


def _check_schema(spec_class: type[Spec]) -> None:
    json.dumps(spec_class.model_json_schema())


def _check_light_import(spec_class: type[Spec]) -> None:
    packages = find_heavy_imports(spec_class.__module__)
    expect(
        not packages,
        f"expected a light import of '{spec_class.__module__}', found that it imports {', '.join(packages)}; "
        "import it inside `build` (for type hints, under `if TYPE_CHECKING:`)",
    )


def _check_defaults(spec_class: type[Spec], instance: Spec | None) -> None:
    spec = spec_class.model_validate(_dump_explicit_fields(spec_class, instance))
    try:
        spec_class.model_validate(spec.model_dump(mode="json", warnings=False))
    except ValidationError as error:
        first = error.errors()[0]
        fail(f"expected valid defaults, found {'.'.join(map(str, first['loc']))}: {first['msg']}")


def _check_round_trip(spec_class: type[Spec], instance: Spec | None) -> None:
    spec = instance or spec_class.model_validate({"type": spec_class.type_name()})
    restored = spec_class.model_validate(json.loads(json.dumps(spec.model_dump(mode="json"))))
    expect(restored == spec, f"expected {spec!r} after a round trip, found {restored!r}")


def _dump_explicit_fields(spec_class: type[Spec], instance: Spec | None) -> dict[str, Any]:
    """Return the block without defaults, as in YAML."""
    fields = instance.model_dump(mode="json") if instance is not None else {}
    explicit_fields = {
        name: value for name, value in fields.items() if instance is not None and name in instance.model_fields_set
    }
    return {**explicit_fields, "type": spec_class.type_name()}


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
