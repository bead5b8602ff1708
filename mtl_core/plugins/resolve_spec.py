"""Resolve a name, a block or a class to the spec that it stands for."""

from collections.abc import Mapping

from pydantic import ValidationError

from mtl_core.errors import MtlError, add_article, join_names
from mtl_core.plugins.active_registry import get_active_registry, use_registry
from mtl_core.plugins.extension_points import EXTENSION_POINTS
from mtl_core.plugins.specs import Spec


def resolve_spec(extension_point: str, value: object, location: str) -> Spec:
    """Return the spec that a value stands for.

    Args:
        extension_point: The name of the extension point, such as `weightings`.
        value: A spec; a spec class, whose fields have defaults; a type name; or a block with a `type`, as in YAML.
        location: Where the value is, for messages.

    Raises:
        MtlError: If the value stands for no spec of this extension point, or a field is invalid.

    Example:
        >>> resolve_spec("weightings", "pcgrad", "weighting").type
        'pcgrad'
    """
    noun, base = EXTENSION_POINTS[extension_point].noun, EXTENSION_POINTS[extension_point].base
    if isinstance(value, base):
        return value
    registry = get_active_registry()
    block = {"type": value} if isinstance(value, str) else value
    try:
        if isinstance(block, type) and issubclass(block, base):
            spec, block = block, {}
        elif isinstance(block, Mapping) and isinstance(block.get("type"), str):
            spec = registry.find(extension_point, block["type"])
        else:
            names = join_names(sorted(registry.get_specs(extension_point)))
            raise MtlError(f"expected {add_article(noun)}: a spec, or one of {names}; found {value!r}")
        with use_registry(registry):
            return spec.model_validate(dict(block))
    except ValidationError as error:
        problems = [f"{'.'.join(map(str, line['loc']))}: {line['msg']}" for line in error.errors(include_url=False)]
        raise MtlError(f"{location}: {'; '.join(problems)}") from error
    except MtlError as error:
        raise MtlError(f"{location}: {error}") from error
