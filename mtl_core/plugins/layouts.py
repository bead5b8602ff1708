"""Layouts of features: which backbones and heads read which."""

from collections.abc import Mapping, Set
from typing import Any

from mtl_core.errors import MtlError, join_names
from mtl_core.plugins.active_registry import get_registry
from mtl_core.plugins.specs import LAYOUTS, BackboneSpec, HeadSpec, Layout

LAYOUT_NAMES: dict[Layout, str] = {
    "vector": "one vector per example",
    "sequence": "one vector per token",
    "spatial": "spatial features (channels, height, width)",
}


def describe_layout_mismatch(spec: BackboneSpec | HeadSpec, layout: Layout, context: Mapping[str, Any] | None) -> str:
    """Return why a backbone or head cannot read features of a layout; an empty string if it can.

    Args:
        spec: The backbone or head.
        layout: The layout of its input features.
        context: A validation context; the message names parts of its registry that read this layout.
    """
    if layout in spec.layouts:
        return ""
    part = "head" if isinstance(spec, HeadSpec) else "backbone"
    readable = [LAYOUT_NAMES[known] for known in LAYOUTS if known in spec.layouts]
    suitable = [
        name
        for name, registered in get_registry(context).get_specs(f"{part}s").items()
        if isinstance(layouts := getattr(registered[0].spec, "layouts", None), Set) and layout in layouts
    ]
    hint = f" ({part}s that read them: {join_names(sorted(suitable), 8)})" if suitable else ""
    return f"the {part} '{spec.type}' reads {' or '.join(readable)}, but its input is {LAYOUT_NAMES[layout]}{hint}"


def validate_layout(spec: BackboneSpec | HeadSpec, layout: Layout) -> None:
    """Require that a backbone or head declares the layout of its input features.

    Raises:
        MtlError: If the layout is not among the spec's `layouts`; the message names the parts that read it.
    """
    if layout not in spec.layouts:
        raise MtlError(describe_layout_mismatch(spec, layout, None))
