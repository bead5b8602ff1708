"""Conversion of the OpenAPI document for the API page, which loads nothing from other hosts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JSON = "application/json"


@dataclass(frozen=True)
class Field:
    """A key of a body, or a query parameter."""

    name: str
    kind: str
    required: bool
    text: str


@dataclass(frozen=True)
class Reply:
    """A possible response."""

    status: str
    text: str
    fields: Sequence[Field]
    example: str


@dataclass(frozen=True)
class Operation:
    """An operation: a method of a path.

    Attributes:
        method: `POST`, …
        path: The path.
        title: The summary, one line.
        text: The description.
        parameters: The query parameters.
        fields: The keys of the body.
        command: A `curl` command that sends an example request.
        replies: The possible responses.
    """

    method: str
    path: str
    title: str
    text: str
    parameters: Sequence[Field]
    fields: Sequence[Field]
    command: str
    replies: Sequence[Reply]

    @property
    def id(self) -> str:
        """The HTML id of its section on the page."""
        return f"{self.method}{self.path.replace('/', '-')}".lower().rstrip("-")


def operations(document: Mapping[str, Any]) -> list[Operation]:
    """Parse all operations of an OpenAPI document."""
    schemas = document.get("components", {}).get("schemas", {})
    return [
        _operation(path, method, told, schemas)
        for path, methods in document["paths"].items()
        for method, told in methods.items()
    ]


def objects(document: Mapping[str, Any]) -> dict[str, list[Field]]:
    """Parse the object schemas of an OpenAPI document, each with its keys."""
    schemas = document.get("components", {}).get("schemas", {})
    return {name: list(_fields(schema, schemas)) for name, schema in schemas.items() if schema.get("properties")}


def _operation(path: str, method: str, told: Mapping[str, Any], schemas: Mapping[str, Any]) -> Operation:
    content: Mapping[str, Any] = told.get("requestBody", {}).get("content", {})
    kind: str = next(iter(content), "")
    body: Mapping[str, Any] = content.get(kind, {})
    return Operation(
        method.upper(),
        path,
        str(told.get("summary", "")),
        str(told.get("description", "")),
        [
            Field(
                one["name"],
                _kind(one.get("schema", {})),
                bool(one.get("required")),
                str(one.get("description", "")),
            )
            for one in told.get("parameters", ())
        ],
        list(_fields(body.get("schema", {}), schemas)),
        _command(path, method, kind, body),
        [_reply(status, reply, schemas) for status, reply in told.get("responses", {}).items()],
    )


def _reply(status: str, reply: Mapping[str, Any], schemas: Mapping[str, Any]) -> Reply:
    content = reply.get("content", {}).get(JSON, {})
    example = _pretty(content["example"]) if "example" in content else ""
    return Reply(
        status, str(reply.get("description", "")), list(_fields(content.get("schema", {}), schemas)), example
    )


def _fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[Field]:
    """Yield the keys of an object."""
    found = _followed(schema, schemas)
    for name, one in found.get("properties", {}).items():
        text = str(one.get("description") or _followed(one, schemas).get("description", ""))
        yield Field(name, _kind(one), name in found.get("required", ()), text)


def _followed(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = schemas.get(_name(schema), schema)
    return found


def _name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _kind(schema: Mapping[str, Any]) -> str:
    """Format the type of a value: `string`, `list of numbers`, `Answer`."""
    if name := _name(schema):
        return name
    if any_of := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_kind(one) for one in any_of))
    if "enum" in schema:
        return " or ".join(map(json.dumps, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_kind(schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))


def _command(path: str, method: str, kind: str, body: Mapping[str, Any]) -> str:
    """Format a `curl` command to copy; `$URL` is the URL of the server."""
    if not kind:
        return f"curl $URL{path}" if method == "get" else f"curl -X {method.upper()} $URL{path}"
    if kind == JSON:
        data = json.dumps(body.get("example", {}), ensure_ascii=False).replace("'", "\\u0027")
        return f"curl $URL{path} -H 'Content-Type: application/json' -d '{data}'"
    return f"curl $URL{path} -F 'file=@FILE'"


def _pretty(example: object) -> str:
    return json.dumps(example, ensure_ascii=False, indent=2)
