"""Validation of the layouts of features that are known without reading the data."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import InitErrorDetails

from mtl_core.plugins.layouts import describe_layout_mismatch
from mtl_core.plugins.specs import BackboneSpec, EncoderSpec, HeadSpec
from mtl_core.plugins.strict_model import build_error_details


def validate_layouts(
    encoder: EncoderSpec, backbone: BackboneSpec, heads: Sequence[HeadSpec], context: Mapping[str, Any] | None
) -> list[InitErrorDetails]:
    """Return an error for a backbone that does not read the encoder's features, and for heads that do not read its own.

    Layouts that are unknown until the encoder is fitted are validated when the network is built.

    Args:
        encoder: The encoder.
        backbone: The backbone.
        heads: The head of each task.
        context: The validation context; messages name suitable parts of its registry.
    """
    if encoder.layout is None:
        return []
    if mismatch := describe_layout_mismatch(backbone, encoder.layout, context):
        return [build_error_details(("backbone", "type"), "custom", mismatch, backbone.type)]
    layout = backbone.get_output_layout(encoder.layout)
    return [
        build_error_details(("tasks", index, "head"), "custom", mismatch, head.type)
        for index, head in enumerate(heads)
        if layout is not None and (mismatch := describe_layout_mismatch(head, layout, context))
    ]
