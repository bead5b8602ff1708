"""Reading and writing of YAML 1.2 with line numbers.

`yes`, `no`, `on` and `off` are strings (labels often have these names), and so is `12:30`; `1e-3` is a number; a
repeated key is an error. Written values are read back unchanged.
"""

import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mtl_core.errors import MtlError

Loc = tuple[int | str, ...]


class _Loader(yaml.SafeLoader):
    """`yaml.SafeLoader` with the scalar rules of YAML 1.2's core schema."""


class _Dumper(yaml.SafeDumper):
    """`yaml.SafeDumper` that also quotes the strings that only `_Loader` would read as another type."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":bool", ":int", ":float", ":timestamp"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
_INT = re.compile(r"^[-+]?[0-9]+$")
_FLOAT = re.compile(r"^[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.inf|\.nan)$")
for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
    _class.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
# PyYAML writes U+0085 and similar characters unquoted, and reads them as line breaks.
_Dumper.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "tag:yaml.org,2002:str", text, style=None if text.isprintable() else '"'
    ),
)
# Only the types of JSON can be constructed: no sets, dates or bytes.
_TAGS = {f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")}
_Loader.yaml_constructors = {
    tag: construct for tag, construct in yaml.SafeLoader.yaml_constructors.items() if tag in {*_TAGS, None}
}


def _construct_scalar(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """Construct a number or a boolean; `!!int x` is an error. Integers are decimal, also with leading zeros."""
    try:
        if node.tag.endswith(":int"):
            return int(node.value)
        return yaml.SafeLoader.yaml_constructors[node.tag](loader, node)
    except (ValueError, KeyError) as error:
        problem = f"{node.value[:40]!r} is not a value of the type {node.tag.rpartition(':')[2]}"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from error


for _name in ("bool", "int", "float"):
    _Loader.add_constructor(f"tag:yaml.org,2002:{_name}", _construct_scalar)


@dataclass(frozen=True)
class YamlFile:
    """A parsed file: its value, and the line number of each location."""

    path: Path
    value: dict[str, Any]
    lines: Mapping[Loc, int]

    def find_line(self, loc: Loc) -> int | None:
        """Return the line of `loc`, or of its nearest ancestor that is in the file."""
        while loc:
            if loc in self.lines:
                return self.lines[loc]
            loc = loc[:-1]
        return None


def parse_scalar(text: str) -> Any:
    """Parse a value as in a file (for `--set`).

    Raises:
        MtlError: If it is not valid YAML.
    """
    try:
        return yaml.load(text, _Loader)  # noqa: S506  a SafeLoader
    except yaml.YAMLError as error:
        raise MtlError(f"the value {text!r} is not valid YAML: {_format_problem(error)}") from error
    except RecursionError as error:
        raise MtlError(f"the value {text[:40]!r}... is nested too deeply") from error


def dump_yaml(value: dict[str, Any]) -> str:
    """Dump a mapping as YAML, keys in their order."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def dump_inline_yaml(value: list[Any] | dict[str, Any]) -> str:
    """Dump a list or a mapping on one line, as after the `=` of `--set`."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=True, width=10**9
    )
    return text.strip()


def read_yaml(path: Path) -> YamlFile:
    """Read a YAML file whose top level is a mapping.

    Raises:
        MtlError: If the file is missing, unreadable, not UTF-8, not YAML, not a mapping, or repeats a key.
    """
    try:
        content = path.read_bytes()
        text = io.TextIOWrapper(io.BytesIO(content), encoding="utf-8").read()
        loader = _Loader(text)
    except OSError as error:
        raise MtlError(f"{path}: cannot be read: {error}") from error
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise MtlError(f"{path}:{line}: not UTF-8: the byte 0x{content[error.start]:02x} is not valid") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise MtlError(f"{path}:{line}: not valid YAML: {_format_problem(error)}") from error
    try:
        node = loader.get_single_node()
        if node is None:
            raise MtlError(f"{path}: the file is empty, expected an experiment (keys such as data, backbone, tasks)")
        if not isinstance(node, yaml.MappingNode):
            raise MtlError(f"{path}:1: expected a mapping of keys to values at the top level")
        lines: dict[Loc, int] = {}
        _collect_lines(node, (), lines, path)
        value = loader.construct_document(node)
        if not isinstance(value, dict):
            raise MtlError(f"{path}:1: expected a mapping of keys to values at the top level")
    except yaml.YAMLError as error:
        raise MtlError(f"{path}{_format_line(error)}: not valid YAML: {_format_problem(error)}") from error
    except RecursionError as error:
        raise MtlError(f"{path}: nested too deeply") from error
    finally:
        loader.dispose()
    return YamlFile(path, value, lines)


def _collect_lines(node: yaml.Node, loc: Loc, lines: dict[Loc, int], path: Path) -> None:
    if loc:
        lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            name, line = str(key.value), key.start_mark.line + 1
            if name in seen:
                raise MtlError(f"{path}:{line}: the key '{name}' is repeated (first on line {seen[name]})")
            seen[name] = line
            lines[(*loc, name)] = line
            _collect_lines(value, (*loc, name), lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_lines(value, (*loc, index), lines, path)


def _format_line(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}" if mark is not None else ""


def _format_problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f"it contains the control character U+{error.character:04X}"
    return str(getattr(error, "problem", None) or error)
