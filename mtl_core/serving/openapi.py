"""Conversion of the OpenAPI document for the API page, which loads nothing from other hosts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

JSON_CONTENT_TYPE = "application/json"


@dataclass(frozen=True)
class SchemaField:
    """A key of a body, or a query parameter."""

    name: str
    type_name: str
    required: bool
    description: str


@dataclass(frozen=True)
class OperationResponse:
    """A possible response."""

    status: str
    description: str
    fields: Sequence[SchemaField]
    example: str


@dataclass(frozen=True)
class Operation:
    """An operation: a method of a path.

    Attributes:
        method: `POST`, …
        path: The path.
        summary: The summary, one line.
        description: The description.
        parameters: The query parameters.
        fields: The keys of the body.
        curl_command: A `curl` command that sends an example request.
        responses: The possible responses.
    """

    method: str
    path: str
    summary: str
    description: str
    parameters: Sequence[SchemaField]
    fields: Sequence[SchemaField]
    curl_command: str
    responses: Sequence[OperationResponse]

    @property
    def id(self) -> str:
        """The HTML id of its section on the page."""
        return f"{self.method}{self.path.replace('/', '-')}".lower().rstrip("-")


def parse_operations(document: Mapping[str, Any]) -> list[Operation]:
    """Parse all operations of an OpenAPI document."""
    schemas = document.get("components", {}).get("schemas", {})
    return [
        _parse_operation(path, method, operation, schemas)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def parse_object_schemas(document: Mapping[str, Any]) -> dict[str, list[SchemaField]]:
    """Parse the object schemas of an OpenAPI document, each with its keys."""
    schemas = document.get("components", {}).get("schemas", {})
    return {name: list(_parse_fields(schema, schemas)) for name, schema in schemas.items() if schema.get("properties")}


def _parse_operation(path: str, method: str, operation: Mapping[str, Any], schemas: Mapping[str, Any]) -> Operation:
    content: Mapping[str, Any] = operation.get("requestBody", {}).get("content", {})
    content_type: str = next(iter(content), "")
    body: Mapping[str, Any] = content.get(content_type, {})
    return Operation(
        method.upper(),
        path,
        str(operation.get("summary", "")),
        str(operation.get("description", "")),
        [
            SchemaField(
                parameter["name"],
                _format_type(parameter.get("schema", {})),
                bool(parameter.get("required")),
                str(parameter.get("description", "")),
            )
            for parameter in operation.get("parameters", ())
        ],
        list(_parse_fields(body.get("schema", {}), schemas)),
        _format_curl_command(path, method, content_type, body),
        [_parse_response(status, response, schemas) for status, response in operation.get("responses", {}).items()],
    )


def _parse_response(status: str, response: Mapping[str, Any], schemas: Mapping[str, Any]) -> OperationResponse:
    content = response.get("content", {}).get(JSON_CONTENT_TYPE, {})
    example = _format_json(content["example"]) if "example" in content else ""
    return OperationResponse(
        status,
        str(response.get("description", "")),
        list(_parse_fields(content.get("schema", {}), schemas)),
        example,
    )


def _parse_fields(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Iterator[SchemaField]:
    """Yield the keys of an object."""
    resolved = _resolve_reference(schema, schemas)
    for name, property_schema in resolved.get("properties", {}).items():
        description = str(
            property_schema.get("description") or _resolve_reference(property_schema, schemas).get("description", "")
        )
        yield SchemaField(name, _format_type(property_schema), name in resolved.get("required", ()), description)


def _resolve_reference(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    resolved: Mapping[str, Any] = schemas.get(_parse_reference_name(schema), schema)
    return resolved


def _parse_reference_name(schema: Mapping[str, Any]) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _format_type(schema: Mapping[str, Any]) -> str:
    """Format the type of a value: `string`, `list of numbers`, `PredictResponse`."""
    if name := _parse_reference_name(schema):
        return name
    if any_of := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(_format_type(alternative) for alternative in any_of))
    if "enum" in schema:
        return " or ".join(map(json.dumps, schema["enum"]))
    if schema.get("type") == "array":
        return f"list of {_format_type(schema.get('items', {}))}"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_format_type(schema['additionalProperties'])}"
    return str(schema.get("type", "anything"))


def _format_curl_command(path: str, method: str, content_type: str, body: Mapping[str, Any]) -> str:
    """Format a `curl` command to copy; `$URL` is the URL of the server."""
    if not content_type:
        return f"curl $URL{path}" if method == "get" else f"curl -X {method.upper()} $URL{path}"
    if content_type == JSON_CONTENT_TYPE:
        data = json.dumps(body.get("example", {}), ensure_ascii=False).replace("'", "\\u0027")
        return f"curl $URL{path} -H 'Content-Type: application/json' -d '{data}'"
    return f"curl $URL{path} -F 'file=@FILE'"


def _format_json(example: object) -> str:
    return json.dumps(example, ensure_ascii=False, indent=2)
