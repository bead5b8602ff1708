"""Checks of backbones."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import nn

from mtl_core.nn.features import Features, FeatureShape
from mtl_core.plugins.layouts import validate_layout
from mtl_core.plugins.specs import BackboneSpec
from mtl_core.testing.checks import Checks, build_accepted, expect
from mtl_core.testing.modules import ModuleFixture, add_module_checks
from mtl_core.testing.rng import temporary_seed
from mtl_core.testing.sample_modules import collate_samples, name_shapes, unpad_features
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import describe_value, expect_tensor


def backbone_checks(
    spec: BackboneSpec, shapes: Sequence[FeatureShape] | None, skip: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.backbone_checks`."""
    checks = spec_checks(spec)
    candidates = name_shapes(shapes)

    def build(shape: FeatureShape) -> nn.Module:
        validate_layout(spec, shape.layout)
        return spec.build(shape)

    for variant in build_accepted(checks, candidates, build, "features"):
        _add_checks(
            checks,
            ModuleFixture(partial(spec.build, candidates[variant]), _run, candidates[variant], variant, tolerance),
        )
    return checks.skip_checks(skip)


def _add_checks(checks: Checks, fixture: ModuleFixture) -> None:
    description = "It returns `Features` of the width that its `output` declares, with the mask of its input."
    checks.add("shape", description, lambda: _check_shape(fixture), fixture.variant)
    add_module_checks(checks, fixture)


def _run(module: nn.Module, features: Features) -> list[torch.Tensor]:
    return unpad_features(module(features))


def _check_shape(fixture: ModuleFixture) -> None:
    with temporary_seed(0), torch.no_grad():
        module = fixture.build_module()
        expect(
            isinstance(module, nn.Module),
            f"expected `build` to return a torch module, found {describe_value(module)}",
        )
        shape = getattr(module, "output", None)
        if not isinstance(shape, FeatureShape):
            raise AssertionError(
                f"expected the module's attribute `output` to be a FeatureShape, found {describe_value(shape)}"
            )
        features = collate_samples(fixture.draw_samples(), extra_padding=1)
        for batch in (features, collate_samples(fixture.draw_samples()[:1])):
            outputs = module(batch)
            if not isinstance(outputs, Features):
                raise AssertionError(f"expected Features, found {describe_value(outputs)}")
            _check_features(outputs, batch, shape)


def _check_features(outputs: Features, inputs: Features, shape: FeatureShape) -> None:
    batch = len(inputs.values)
    if shape.size is not None:
        expect_tensor(outputs.values, (batch, shape.width, *shape.size), "values, of the size that `output` declares")
        expect(outputs.mask is None, "expected no mask, since `output` declares spatial features")
        return
    if not shape.sequence:
        expect_tensor(outputs.values, (batch, shape.width), "values, since `output` declares one vector per example")
        expect(outputs.mask is None, "expected no mask, since `output` declares one vector per example")
        return
    mask = outputs.mask
    if mask is None:
        raise AssertionError("expected a mask, since `output` declares one vector per token, found none")
    has_same_shape = inputs.mask is not None and mask.shape == inputs.mask.shape
    length = mask.shape[1] if mask.ndim == 2 else 0
    expect_tensor(mask, (batch, length), "the mask", torch.bool)
    expect_tensor(outputs.values, (batch, length, shape.width), "values")
    expect(mask.any(dim=1).all(), "expected at least one token in every example, found an example without tokens")
    if has_same_shape and inputs.mask is not None:
        expect(torch.equal(mask, inputs.mask), "expected the mask of the input, since the length is the same")
