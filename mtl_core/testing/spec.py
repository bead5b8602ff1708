"""Checks of every spec: the YAML block of a part."""

import json
import re
import sys
from typing import Any, Literal, get_args, get_origin

from pydantic import ValidationError

from mtl_core.specs import Spec
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.fresh_import import heavy_imports

_TYPE_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def spec_checks(spec: Spec | type[Spec]) -> Checks:
    """See `mtl_core.testing.spec_checks`."""
    model = spec if isinstance(spec, type) else type(spec)
    given = None if isinstance(spec, type) else spec
    checks = Checks(model.type_name())
    checks.add("type-name", "`type` is one literal and its default, in lower case.", lambda: _type_name(model))
    checks.add("docstring", "It has a docstring, which `mtl plugins` prints.", lambda: _docstring(model))
    checks.add("keys-documented", "Every key has a docstring, which becomes documentation.", lambda: _keys(model))
    checks.add("unknown-keys", "An unknown key is refused.", lambda: _unknown_key(model, given))
    checks.add("schema", "It has a JSON Schema, for completion in editors.", lambda: _schema(model))
    if hasattr(sys.modules[model.__module__], "__file__"):
        what = "Its module imports no heavy package, since `mtl --help` imports the module."
        checks.add("light-import", what, lambda: _import(model))
    else:
        checks.leave_out("light-import", "it is not defined in a file")
    required = [name for name, field in model.model_fields.items() if field.is_required()]
    if given is None and required:
        reason = f"{', '.join(required)}: required, but the suite received a class instead of a spec"
        checks.leave_out("defaults", reason)
        checks.leave_out("read-again", reason)
        return checks
    checks.add("defaults", "The defaults of its keys are valid values.", lambda: _defaults(model, given))
    checks.add("read-again", "Dumped and validated again, it is equal.", lambda: _read_again(model, given))
    return checks


def _type_name(model: type[Spec]) -> None:
    field = model.model_fields["type"]
    expected = 'expected `type: Literal["some-name"] = "some-name"`'
    literal = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
    expect(literal == (field.default,), f"{expected}, found {field.annotation} = {field.default!r}")
    found = f"expected lower-case letters, digits and hyphens, found {field.default!r}"
    expect(isinstance(field.default, str) and _TYPE_NAME.fullmatch(field.default), found)


def _docstring(model: type[Spec]) -> None:
    first = (vars(model).get("__doc__") or "").strip().partition("\n")[0]
    expect(first, f"expected {model.__name__} to have a docstring, found none")


def _keys(model: type[Spec]) -> None:
    bare = [
        name
        for name, field in model.model_fields.items()
        if name != "type" and not (field.description or "").strip()
    ]
    expect(not bare, f"expected a docstring below every key, found none below: {', '.join(bare)}")


def _unknown_key(model: type[Spec], given: Spec | None) -> None:
    try:
        model.model_validate({**_written(model, given), "no_such_key": 1})
    except ValidationError as error:
        if any(line["loc"] == ("no_such_key",) for line in error.errors()):
            return
    fail("expected an unknown key to be refused, found it accepted (is `extra` allowed in `model_config`?)")


def _schema(model: type[Spec]) -> None:
    json.dumps(model.model_json_schema())


def _import(model: type[Spec]) -> None:
    found = heavy_imports(model.__module__)
    expect(
        not found,
        f"expected a light import of '{model.__module__}', found that it imports {', '.join(found)}; "
        "import it inside `build` (for type hints, under `if TYPE_CHECKING:`)",
    )


def _defaults(model: type[Spec], given: Spec | None) -> None:
    spec = model.model_validate(_written(model, given))
    try:
        model.model_validate(spec.model_dump(mode="json", warnings=False))
    except ValidationError as error:
        first = error.errors()[0]
        fail(f"expected valid defaults, found {'.'.join(map(str, first['loc']))}: {first['msg']}")


def _read_again(model: type[Spec], given: Spec | None) -> None:
    spec = given or model.model_validate({"type": model.type_name()})
    again = model.model_validate(json.loads(json.dumps(spec.model_dump(mode="json"))))
    expect(again == spec, f"expected {spec!r} after a round trip, found {again!r}")


def _written(model: type[Spec], given: Spec | None) -> dict[str, Any]:
    """Return the block without defaults, as in YAML."""
    whole = given.model_dump(mode="json") if given is not None else {}
    written = {name: value for name, value in whole.items() if given is not None and name in given.model_fields_set}
    return {**written, "type": model.type_name()}
