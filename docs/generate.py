"""Generate the reference pages from the code: `python docs/generate.py`.

A test fails if a committed page differs from the output of this script, so that no hook, option or command can be
missing. The pages describe only the plugins of this project, whatever else is installed.
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
from mtl_core.config.extension import Extension, KnownSplit
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
PROJECT_PLUGINS = {
    "core",
    "absa",
    "images",
    "molecules",
    "text",
    "auxiliary",
    "architectures",
    "torchjd",
    "transformers",
    "ratings",
    "street-scenes",
}
PROJECT_PACKAGES = {"mtl_ratings", "mtl_street_scenes"}
"""Packages whose commands are described, in addition to those of the core."""
LINE_LENGTH = 116
"""Maximum length of a signature, as for Python files."""
NUMBER_TYPES = {"integer": "whole number", "number": "number"}
BOUNDS = {"exclusiveMinimum": "> {}", "minimum": "≥ {}", "exclusiveMaximum": "< {}", "maximum": "≤ {}"}
METAVARS = {Path: "PATH", int: "NUMBER", str: "TEXT"}
SWEEP_BLOCKS = {
    model.__name__: model
    for model in (Uniform, LogUniform, Integer, LogInteger, Choices, Tpe, RandomSearch, MedianPruning)
}
PLAIN_TYPES = {"string": "text", "boolean": "`true` or `false`", "null": "`null`"}


def render_hooks_page() -> str:
    """Render every hook with its signature, and the base class of the specs that it returns."""
    lines = [
        "# Hooks",
        "",
        GENERATED,
        "",
        "A plugin implements the hooks that it needs as functions of a module, each marked with",
        "`mtl_core.hookimpl`. A hook returns a list of *spec classes*: pydantic models whose fields are the keys",
        "of the YAML block, and whose `build` (or `load`, `split`) creates the component. Its name in YAML is the",
        'default of its field `type`: `type: Literal["max-pooling"] = "max-pooling"`.',
        "",
        "All base classes, `hookimpl`, `Corpus`, `Features`, `FeatureShape` and `MtlError` can be imported from",
        "`mtl_core`, which does not import torch. [Python classes](python.md) describes the other classes that",
        "components exchange.",
    ]
    by_hook = {extension_point.hook: extension_point for extension_point in EXTENSION_POINTS.values()}
    for hook in HOOKS:
        function = getattr(hookspecs, hook)
        signature = inspect.getsource(function).split("def ", 1)[1].splitlines()[0].split("  #")[0]
        lines += ["", f"## {hook}", "", f"```python\ndef {signature} ...\n```", "", inspect.getdoc(function) or ""]
        if hook in by_hook:
            lines += ["", *_render_base_class(by_hook[hook])]
    return "\n".join(lines) + "\n"


def _render_base_class(extension_point: ExtensionPoint) -> Iterator[str]:
    base, name = extension_point.base, extension_point.name
    yield f"Base class: `{base.__name__}`. Available types: [{name.replace('_', ' ')}](options.md#{name})."
    constants = [name for name in vars(base) if name.isidentifier() and name in base.__class_vars__]
    for name in constants:
        value = vars(base)[name]
        if isinstance(value, frozenset):  # the order of a set differs from run to run
            value = f"{{{', '.join(sorted(value))}}}"
        yield f"\n### `{base.__name__}.{name}` = `{value}`\n"
        yield _parse_attribute_docstrings(base)[name]
    for name, value in vars(base).items():
        if isinstance(value, property) and not name.startswith("_"):
            yield f"\n### `{base.__name__}.{name}`\n"
            yield f"A property. {inspect.getdoc(value) or ''}"
    for name, method in vars(base).items():
        if name.startswith("_") or not inspect.isfunction(method) or name == "model_post_init":
            continue
        note = "Must be implemented." if getattr(method, "__isabstractmethod__", False) else "Has a default."
        definition = f"def {name}{inspect.signature(method)}: ...".replace("'", "")
        if len(definition) > LINE_LENGTH:
            definition = re.sub(r"\((.*)\)( -> .*)", r"(\n    \1\n)\2", definition)
        yield f"\n### `{base.__name__}.{name}`\n"
        yield f"```python\n{definition}\n```\n"
        yield f"{note} {_render_docstring(inspect.getdoc(method) or '')}"


def _parse_attribute_docstrings(model: type) -> dict[str, str]:
    """Return the strings below class attributes, by attribute name."""
    pattern = r'^    (\w+): ClassVar\[.*\n    """((?:.|\n)*?)"""'
    docstrings = re.findall(pattern, inspect.getsource(model), flags=re.MULTILINE)
    return dict.fromkeys(vars(model), "") | {name: " ".join(text.split()) for name, text in docstrings}


def _render_docstring(text: str) -> str:
    """Convert a Google docstring to Markdown: sections become lists."""
    lines, section = [], ""
    for line in text.splitlines():
        if line in {"Args:", "Returns:", "Raises:", "Yields:"}:
            section = line
            lines += [f"**{line.removesuffix(':')}**", ""]
        elif section and re.match(r"    \S", line):
            name, colon, rest = line.strip().partition(": ")
            lines.append(f"- `{name}`: {rest}" if colon and section in {"Args:", "Raises:"} else f"- {line.strip()}")
        elif section and line.strip():
            lines.append(f"  {line.strip()}")
        else:
            lines.append(line)
    return "\n".join(lines).strip()


def render_options_page() -> str:
    """Render every key of an experiment, and every type of every extension point with its keys."""
    lines = [
        "# Options",
        "",
        GENERATED,
        "",
        "This page lists every key of an experiment file with its default. Unknown keys are errors, and no value",
        "is converted: `epochs: '3'` is refused. A block whose keys all have defaults may be replaced by its type:",
        "`backbone: bilstm` is `backbone: {type: bilstm}`.",
        "",
        "Relative paths are relative to the folder of the YAML file; those of `--set` to the working directory.",
        "",
        "## The experiment",
        "",
        *_render_table(ExperimentConfig),
        "",
        "### An entry of `tasks`",
        "",
        *_render_table(NamedTask),
        "",
        "With `each` instead of `name` and `label`, the entry declares one task per matching column:",
        "",
        *_render_table(TaskPattern, only={"each"}),
        "",
        "### `training`",
        "",
        *_render_table(Training),
        "",
        "### `training.select`",
        "",
        *_render_table(Selection),
        "",
        "### `interactions`",
        "",
        *_render_table(InteractionConfig),
        "",
        "### `init_from`",
        "",
        *_render_table(InitFrom),
        "",
        "### `extends`",
        "",
        "`mtl extend` writes this block ([Extend a run](../how-to/extend.md)).",
        "",
        *_render_table(Extension),
        "",
        "### `extends.splits`",
        "",
        *_render_table(KnownSplit),
        "",
        "### `sweep`",
        "",
        *_render_table(Sweep),
        "",
        *_render_sweep_blocks(),
    ]
    registry = Registry(Plugins.load_installed())
    for point in EXTENSION_POINTS:
        lines += ["", f"## {point.replace('_', ' ').capitalize()} {{ #{point} }}"]
        for name, registered_specs in sorted(registry.get_specs(point).items()):
            for registered in registered_specs:
                if registered.plugin in PROJECT_PLUGINS:
                    lines += ["", f"### `{name}` {{ #{point}-{name} }}", "", inspect.getdoc(registered.spec) or ""]
                    lines += ["", f"From the plugin `{registered.plugin}`.", "", *_render_table(registered.spec)]
                    lines += _render_nested_blocks(registered.spec)
    return "\n".join(lines) + "\n"


def _render_sweep_blocks() -> Iterator[str]:
    """Render the blocks below `sweep`: distributions, samplers, pruning."""
    yield "#### Blocks of `sweep`"
    for name, model in SWEEP_BLOCKS.items():
        field = model.model_fields.get("type")
        key = f"`type: {field.default}`" if field is not None else f"`{name.lower()}:`"
        yield f"\n{key}: {inspect.getdoc(model)}\n"
        yield from _render_table(model)


def _render_nested_blocks(model: type[BaseModel]) -> Iterator[str]:
    """Render the keys of a component whose values are blocks, but no components."""
    for key, field in model.model_fields.items():
        for nested in (field.annotation, *get_args(field.annotation)):
            if isinstance(nested, type) and issubclass(nested, BaseModel) and not issubclass(nested, Spec):
                yield f"\nBelow `{key}`: {inspect.getdoc(nested)}\n"
                yield from _render_table(nested)


def _render_table(model: type[BaseModel], only: set[str] | None = None) -> Iterator[str]:
    """Render one row per key; a sentence if there is no key except `type`."""
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
            _describe_value(key, field, schema),
            _format_default(model, key),
            model.model_fields[key].description or "",
        ]
        yield "| " + " | ".join(cell.replace("\n", " ").replace("|", "\\|") for cell in cells) + " |"


def _describe_value(key: str, field: dict[str, Any], root: dict[str, Any]) -> str:
    """Describe the values of a key in words."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[1]
        sections = {
            "Training": "[block](#training)",
            "Selection": "[block](#trainingselect)",
            "InteractionConfig": "[block](#interactions)",
            "InitFrom": "[block](#init_from)",
            "Extension": "[block](#extends)",
            "KnownSplit": "[block](#extendssplits)",
            "Sweep": "[block](#sweep)",
            **dict.fromkeys(SWEEP_BLOCKS, "[block](#blocks-of-sweep)"),
        }
        return sections.get(name) or _describe_value(key, root["$defs"][name], root)
    if "x-mtl-extension-point" in field:
        extension_point = EXTENSION_POINTS[field["x-mtl-extension-point"]]
        return f"[{extension_point.noun}](#{extension_point.name})"
    if "anyOf" in field:
        return " or ".join(dict.fromkeys(_describe_value(key, choice, root) for choice in field["anyOf"]))
    if "const" in field:
        return f"`{json.dumps(field['const'])}`"
    if "enum" in field:
        return ", ".join(f"`{choice}`" for choice in field["enum"])
    if field.get("type") == "array":
        if key == "tasks":
            return "list of [entries](#an-entry-of-tasks)"
        return f"list of {_describe_value('', field['items'], root)}"
    if field.get("type") == "object" and "properties" in field:
        return "block, see below"
    if field.get("type") == "object" and isinstance(field["additionalProperties"], bool):
        return "block"
    if field.get("type") == "object":
        return f"block of name: {_describe_value('', field['additionalProperties'], root)}"
    if field.get("format") == "path":
        return "path"
    bounds = ", ".join(text.format(_format_bound(field[bound])) for bound, text in BOUNDS.items() if bound in field)
    if "type" not in field:
        return "anything"
    name = NUMBER_TYPES.get(field["type"]) or PLAIN_TYPES[field["type"]]
    return f"{name} {bounds}".strip()


def _format_bound(value: float) -> str:
    return "2⁶³" if value == 2**63 else f"{value:g}"


def _format_default(model: type[BaseModel], key: str) -> str:
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


def render_cli_page() -> str:
    """Render every command with its arguments and options."""
    lines = [
        "# Commands",
        "",
        GENERATED,
        "",
        "Exit codes: 0 for success; 1 for a bug, with its traceback; 2 for an error in the input, with a message",
        "that contains its location; 130 for an interruption.",
        "",
        "`mtl --help`, and `--help` after any command, print the same; `mtl --version` prints the version.",
    ]
    for command in app.registered_commands:
        lines += _render_command(command, "mtl", "##")
    for group in Registry(Plugins.load_installed()).collect_commands().values():
        if group.app.partition(".")[0] in PROJECT_PACKAGES:
            lines += ["", f"## mtl {group.name}", "", group.help]
            for command in group.load().registered_commands:
                lines += _render_command(command, f"mtl {group.name}", "###")
    return "\n".join(lines) + "\n"


def _render_command(command: CommandInfo, group: str, heading: str) -> Iterator[str]:
    """Render a command with a table of its arguments and options."""
    callback = command.callback
    if callback is None:
        return
    parameters = list(_list_parameters(callback))
    arguments = [usage for usage, _, is_argument in parameters if is_argument]
    name = f"{group} {command.name or callback.__name__}"
    yield from ("", f"{heading} {name}", "", f"```text\n{' '.join([name, *arguments, '[OPTIONS]'])}\n```", "")
    yield from (inspect.getdoc(callback) or "", "", "| argument or option | what it does |", "| --- | --- |")
    for usage, text, _ in parameters:
        yield f"| `{usage}` | {text} |"


def _list_parameters(callback: Callable[..., Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield the usage of each parameter, its help text, and whether it is an argument."""
    hints = get_type_hints(callback, include_extras=True)
    for name in inspect.signature(callback).parameters:
        annotation, info = get_args(hints[name])
        if isinstance(info, ArgumentInfo):
            yield str(info.metavar or name.upper()), info.help or "", True
        elif isinstance(info, OptionInfo):
            # In Annotated, Typer stores the first declared name as the default.
            option_names = [word for word in (info.default, *(info.param_decls or ())) if isinstance(word, str)]
            option = (option_names or [f"--{name.replace('_', '-')}"])[0].replace("/", "` / `")
            types = (annotation, *get_args(annotation))
            metavar = info.metavar or next((text for type_, text in METAVARS.items() if type_ in types), "")
            yield f"{option} {metavar}".strip(), info.help or "", False


PAGES = {"hooks.md": render_hooks_page, "options.md": render_options_page, "cli.md": render_cli_page}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (FOLDER / file).write_text(page(), encoding="utf-8")
