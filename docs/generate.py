"""Writes the reference pages that are taken from the code: `python docs/generate.py`.

A test fails when a committed page differs from what this script gives, so a hook, an option or a command cannot be
left out. Only the project's own plugins are described, whatever else is installed.
"""

import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

from pydantic import BaseModel
from typer.models import ArgumentInfo, CommandInfo, OptionInfo

from mtl_core.cli.app import app
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.sweep import (
    Choices,
    Integer,
    LogInteger,
    LogUniform,
    MedianPruning,
    RandomSearch,
    Sweep,
    Tpe,
    Uniform,
)
from mtl_core.config.tasks import NamedTask, TaskPattern
from mtl_core.config.training import InitFrom, InteractionConfig, Selection, Training
from mtl_core.plugins import hookspecs
from mtl_core.plugins.extension_points import EXTENSION_POINTS, ExtensionPoint
from mtl_core.plugins.loading import HOOKS, Plugins
from mtl_core.plugins.registry import Registry
from mtl_core.plugins.specs import Spec

FOLDER = Path(__file__).parent / "reference"
GENERATED = "<!-- Written by docs/generate.py; change the docstrings instead. -->"
OWN_PLUGINS = {"core", "absa", "text", "auxiliary", "architectures", "torchjd", "transformers", "ratings"}
OWN_PACKAGES = {"mtl_ratings"}
"""Packages whose commands are described besides the core's."""
NUMBERS = {"integer": "whole number", "number": "number"}
BOUNDS = {"exclusiveMinimum": "> {}", "minimum": "≥ {}", "exclusiveMaximum": "< {}", "maximum": "≤ {}"}
VALUES = {Path: "PATH", int: "NUMBER", str: "TEXT"}
SWEEP_BLOCKS = {
    model.__name__: model
    for model in (Uniform, LogUniform, Integer, LogInteger, Choices, Tpe, RandomSearch, MedianPruning)
}
PLAIN_TYPES = {"string": "text", "boolean": "`true` or `false`", "null": "`null`"}


def hooks_page() -> str:
    """Every hook with its exact signature, and the base class of what it returns."""
    lines = [
        "# Hooks",
        "",
        GENERATED,
        "",
        "A plugin implements the hooks that it needs, as functions of a module, each marked with",
        "`mtl_core.hookimpl`. A hook returns a list of *spec classes*: pydantic models whose fields are the keys",
        "of the YAML block, and whose `build` (or `load`, `split`) makes the part. The name that YAML picks it by",
        'is the default of its field `type`: `type: Literal["max-pooling"] = "max-pooling"`.',
        "",
        "All base classes, `hookimpl`, `Corpus`, `Features`, `FeatureShape` and `MtlError` can be imported from",
        "`mtl_core`; none of it imports torch. The other classes that parts exchange are described in",
        "[Python classes](python.md).",
    ]
    by_hook = {seam.hook: seam for seam in EXTENSION_POINTS.values()}
    for hook in HOOKS:
        function = getattr(hookspecs, hook)
        signature = inspect.getsource(function).split("def ", 1)[1].splitlines()[0].split("  #")[0]
        lines += ["", f"## {hook}", "", f"```python\ndef {signature} ...\n```", "", inspect.getdoc(function) or ""]
        if hook in by_hook:
            lines += ["", *_base_class(by_hook[hook])]
    return "\n".join(lines) + "\n"


def _base_class(seam: ExtensionPoint) -> Iterator[str]:
    base = seam.base
    yield f"Base class: `{base.__name__}`. Shipped types: [{seam.name.replace('_', ' ')}](options.md#{seam.name})."
    constants = [name for name in vars(base) if name.isidentifier() and name in base.__class_vars__]
    for name in constants:
        yield f"\n### `{base.__name__}.{name}` = `{vars(base)[name]}`\n"
        yield _attribute_docstrings(base)[name]
    for name, value in vars(base).items():
        if isinstance(value, property) and not name.startswith("_"):
            yield f"\n### `{base.__name__}.{name}`\n"
            yield f"A property. {inspect.getdoc(value) or ''}"
    for name, method in vars(base).items():
        if name.startswith("_") or not inspect.isfunction(method) or name == "model_post_init":
            continue
        must = "Must be implemented." if getattr(method, "__isabstractmethod__", False) else "Has a default."
        signature = str(inspect.signature(method)).replace("'", "")
        yield f"\n### `{base.__name__}.{name}`\n"
        yield f"```python\ndef {name}{signature}: ...\n```\n"
        yield f"{must} {_docstring(inspect.getdoc(method) or '')}"


def _attribute_docstrings(model: type) -> dict[str, str]:
    """Strings that stand below class attributes."""
    source = inspect.getsource(model)
    found = dict.fromkeys(vars(model), "")
    found |= dict(re.findall(r'^    (\w+): ClassVar\[.*\n    """(.*?)"""', source, flags=re.MULTILINE))
    return found


def _docstring(text: str) -> str:
    """Turn a Google docstring into Markdown: sections become lists."""
    lines, section = [], ""
    for line in text.splitlines():
        if line in {"Args:", "Returns:", "Raises:", "Yields:"}:
            section = line
            lines += [f"**{line.removesuffix(':')}**", ""]
        elif section and re.match(r"    \S", line):
            name, colon, rest = line.strip().partition(": ")
            lines.append(
                f"- `{name}`: {rest}" if colon and section in {"Args:", "Raises:"} else f"- {line.strip()}"
            )
        elif section and line.strip():
            lines.append(f"  {line.strip()}")
        else:
            lines.append(line)
    return "\n".join(lines).strip()


def options_page() -> str:
    """Every key of an experiment, and every type of every seam with its keys."""
    lines = [
        "# Options",
        "",
        GENERATED,
        "",
        "Every key of an experiment file, with what is used where it is left out. Unknown keys are errors, and no",
        "value is converted: `epochs: '3'` is refused. A block whose keys all have defaults may be written as its",
        "bare type: `backbone: bilstm` is `backbone: {type: bilstm}`.",
        "",
        "Relative paths start at the folder of the YAML file; those of `--set` at the current folder.",
        "",
        "## The experiment",
        "",
        *_table(ExperimentConfig),
        "",
        "### An entry of `tasks`",
        "",
        *_table(NamedTask),
        "",
        "With `each` instead of `name` and `label`, the entry stands for many tasks:",
        "",
        *_table(TaskPattern, only={"each"}),
        "",
        "### `training`",
        "",
        *_table(Training),
        "",
        "### `training.select`",
        "",
        *_table(Selection),
        "",
        "### `interactions`",
        "",
        *_table(InteractionConfig),
        "",
        "### `init_from`",
        "",
        *_table(InitFrom),
        "",
        "### `sweep`",
        "",
        *_table(Sweep),
        "",
        *_sweep_blocks(),
    ]
    registry = Registry(Plugins.load_installed())
    for seam in EXTENSION_POINTS.values():
        lines += ["", f"## {seam.name.replace('_', ' ').capitalize()} {{ #{seam.name} }}"]
        for name, offers in sorted(registry.get_specs(seam.name).items()):
            for offer in offers:
                if offer.plugin in OWN_PLUGINS:
                    lines += ["", f"### `{name}` {{ #{seam.name}-{name} }}", "", inspect.getdoc(offer.spec) or ""]
                    lines += ["", f"From the plugin `{offer.plugin}`.", "", *_table(offer.spec)]
                    lines += _inner_blocks(offer.spec)
    return "\n".join(lines) + "\n"


def _sweep_blocks() -> Iterator[str]:
    """What stands below `sweep`: kinds of values, samplers, pruning."""
    yield "#### Blocks of `sweep`"
    for name, model in SWEEP_BLOCKS.items():
        field = model.model_fields.get("type")
        shown = f"`type: {field.default}`" if field is not None else f"`{name.lower()}:`"
        yield f"\n{shown}: {inspect.getdoc(model)}\n"
        yield from _table(model)


def _inner_blocks(model: type[BaseModel]) -> Iterator[str]:
    """What stands below keys of a part that are blocks themselves, and no parts."""
    for key, field in model.model_fields.items():
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, BaseModel) and not issubclass(inner, Spec):
                yield f"\nBelow `{key}`: {inspect.getdoc(inner)}\n"
                yield from _table(inner)


def _table(model: type[BaseModel], only: set[str] | None = None) -> Iterator[str]:
    """A row a key; nothing if there is no key but `type`."""
    schema = model.model_json_schema()
    keys = [key for key in schema["properties"] if (key != "type" or model is ExperimentConfig)]
    keys = [key for key in keys if only is None or key in only]
    if not keys:
        yield "No keys."
        return
    yield "| key | value | default | what it does |"
    yield "| --- | --- | --- | --- |"
    for key in keys:
        field = schema["properties"][key]
        cells = [
            f"`{key}`",
            _value(key, field, schema),
            _default(model, key),
            model.model_fields[key].description or "",
        ]
        yield "| " + " | ".join(cell.replace("\n", " ").replace("|", "\\|") for cell in cells) + " |"


def _value(key: str, field: dict[str, Any], root: dict[str, Any]) -> str:
    """Say in words what a key takes."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        sections = {
            "Training": "[block](#training)",
            "Selection": "[block](#trainingselect)",
            "Interactions": "[block](#interactions)",
            "StartFrom": "[block](#init_from)",
            "Sweep": "[block](#sweep)",
            **dict.fromkeys(SWEEP_BLOCKS, "[block](#blocks-of-sweep)"),
        }
        return sections.get(name) or _value(key, root["$defs"][name], root)
    if "x-mtl-extension-point" in field:
        seam = EXTENSION_POINTS[field["x-mtl-extension-point"]]
        return f"[{seam.noun}](#{seam.name})"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_value(key, choice, root) for choice in field["anyOf"]))
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field["enum"])
    if field.get("type") == "array":
        if key == "tasks":
            return "list of [entries](#an-entry-of-tasks)"
        return f"list of {_value('', field['items'], root)}"
    if field.get("type") == "object" and "properties" in field:
        return "block, see below"
    if field.get("type") == "object":
        return f"block of name: {_value('', field['additionalProperties'], root)}"
    if field.get("format") == "path":
        return "path"
    bounds = ", ".join(text.format(_bound(field[bound])) for bound, text in BOUNDS.items() if bound in field)
    if "type" not in field:
        return "anything"
    name = NUMBERS.get(field["type"]) or PLAIN_TYPES[field["type"]]
    return f"{name} {bounds}".strip()


def _bound(value: float) -> str:
    return "2⁶³" if value == 2**63 else f"{value:g}"


def _default(model: type[BaseModel], key: str) -> str:
    field = model.model_fields[key]
    if model is ExperimentConfig and key == "name":
        return "the file's name"
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return "its defaults"
    if isinstance(value, dict) and set(value) == {"type"}:
        return f"`{value['type']}`"
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        return ", ".join(f"`{item['type']}`" for item in value)
    return f"`{json.dumps(value)}`"


def cli_page() -> str:
    """Every command with its arguments and options."""
    lines = [
        "# Commands",
        "",
        GENERATED,
        "",
        "Exit codes: 0 all is well; 1 a bug, with its traceback; 2 a mistake in what was given, with a message",
        "that says where it is; 130 interrupted.",
        "",
        "`mtl --help`, and `--help` after any command, tell the same; `mtl --version` prints the version.",
    ]
    for command in app.registered_commands:
        lines += _command(command, "mtl", "##")
    for added in Registry(Plugins.load_installed()).collect_commands().values():
        if added.app.partition(".")[0] in OWN_PACKAGES:
            lines += ["", f"## mtl {added.name}", "", added.help]
            for command in added.load().registered_commands:
                lines += _command(command, f"mtl {added.name}", "###")
    return "\n".join(lines) + "\n"


def _command(command: CommandInfo, group: str, heading: str) -> Iterator[str]:
    """A command with a table of its arguments and options."""
    callback = command.callback
    if callback is None:
        return
    parameters = list(_parameters(callback))
    arguments = [shown for shown, _, is_argument in parameters if is_argument]
    name = f"{group} {command.name or callback.__name__}"
    yield from ("", f"{heading} {name}", "", f"```text\n{' '.join([name, *arguments, '[OPTIONS]'])}\n```", "")
    yield from (inspect.getdoc(callback) or "", "", "| argument or option | what it does |", "| --- | --- |")
    for shown, text, _ in parameters:
        yield f"| `{shown}` | {text} |"


def _parameters(callback: Callable[..., Any]) -> Iterator[tuple[str, str, bool]]:
    """How each parameter is typed, what it does, and whether it is an argument."""
    hints = get_type_hints(callback, include_extras=True)
    for name in inspect.signature(callback).parameters:
        kind, info = get_args(hints[name])
        if isinstance(info, ArgumentInfo):
            yield str(info.metavar or name.upper()), info.help or "", True
        elif isinstance(info, OptionInfo):
            # In Annotated, Typer keeps the first name that is declared in the place of the default.
            declared = [word for word in (info.default, *(info.param_decls or ())) if isinstance(word, str)]
            option = (declared or [f"--{name.replace('_', '-')}"])[0]
            kinds = (kind, *get_args(kind))
            value = info.metavar or next((text for type_, text in VALUES.items() if type_ in kinds), "")
            yield f"{option} {value}".strip(), info.help or "", False


PAGES = {"hooks.md": hooks_page, "options.md": options_page, "cli.md": cli_page}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (FOLDER / file).write_text(page(), encoding="utf-8")
