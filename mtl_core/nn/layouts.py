"""Layouts of features: which backbones and heads read which."""

from collections.abc import Set

from mtl_core.errors import MtlError, join_names
from mtl_core.nn.features import FeatureShape
from mtl_core.plugins.active_registry import get_registry
from mtl_core.plugins.specs import LAYOUTS, BackboneSpec, HeadSpec, Layout

LAYOUT_NAMES: dict[Layout, str] = {
    "vector": "one vector per example",
    "sequence": "one vector per token",
    "spatial": "spatial features (channels, height, width)",
}


def validate_layout(spec: BackboneSpec | HeadSpec, inputs: FeatureShape) -> None:
    """Require that a backbone or head declares the layout of its input features.

    Args:
        spec: The spec of the backbone or head.
        inputs: The shape of its input features.

    Raises:
        MtlError: If the layout is not among the spec's `layouts`; the message names those that read it.
    """
    if inputs.layout in spec.layouts:
        return
    part = "head" if isinstance(spec, HeadSpec) else "backbone"
    readable = [LAYOUT_NAMES[layout] for layout in LAYOUTS if layout in spec.layouts]
    suitable = [
        name
        for name, registered in get_registry(None).get_specs(f"{part}s").items()
        if isinstance(layouts := getattr(registered[0].spec, "layouts", None), Set) and inputs.layout in layouts
    ]
    hint = f" ({part}s that read them: {join_names(sorted(suitable), 8)})" if suitable else ""
    raise MtlError(
        f"the {part} '{spec.type}' reads {' or '.join(readable)}, but its input is {LAYOUT_NAMES[inputs.layout]}{hint}"
    )
