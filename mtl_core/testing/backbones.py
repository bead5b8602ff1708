"""Checks of backbones."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import nn

from mtl_core.model.features import Features, FeatureShape
from mtl_core.specs import BackboneSpec
from mtl_core.testing.acceptance import accepted
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect
from mtl_core.testing.modules import Probe, add_module_checks
from mtl_core.testing.randomness import seeded
from mtl_core.testing.samples import batched, named_shapes, rows_of
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import expect_tensor, shown


def backbone_checks(
    spec: BackboneSpec, shapes: Sequence[FeatureShape] | None, without: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.backbone_checks`."""
    checks = spec_checks(spec)
    tried = named_shapes(shapes)
    for variant in accepted(checks, tried, spec.build, "features"):
        _add(checks, Probe(partial(spec.build, tried[variant]), _run, tried[variant], variant, tolerance))
    return checks.without(without)


def _add(checks: Checks, probe: Probe) -> None:
    what = "It returns `Features` of the width that its `output` declares, with the mask of its input."
    checks.add("shape", what, lambda: _shape(probe), probe.variant)
    add_module_checks(checks, probe)


def _run(module: nn.Module, features: Features) -> list[torch.Tensor]:
    return rows_of(module(features))


def _shape(probe: Probe) -> None:
    with seeded(0), torch.no_grad():
        module = probe.ready()
        expect(isinstance(module, nn.Module), f"expected `build` to return a torch module, found {shown(module)}")
        output = getattr(module, "output", None)
        if not isinstance(output, FeatureShape):
            raise AssertionError(
                f"expected the module's attribute `output` to be a FeatureShape, found {shown(output)}"
            )
        features = batched(probe.samples(), more=1)
        for batch in (features, batched(probe.samples()[:1])):
            found = module(batch)
            if not isinstance(found, Features):
                raise AssertionError(f"expected Features, found {shown(found)}")
            _check(found, batch, output)


def _check(found: Features, given: Features, output: FeatureShape) -> None:
    batch = len(given.values)
    if not output.sequence:
        expect_tensor(found.values, (batch, output.width), "values, since `output` declares one vector per example")
        expect(found.mask is None, "expected no mask, since `output` declares one vector per example")
        return
    mask = found.mask
    if mask is None:
        raise AssertionError("expected a mask, since `output` declares one vector per token, found none")
    same = given.mask is not None and mask.shape == given.mask.shape
    length = mask.shape[1] if mask.ndim == 2 else 0
    expect_tensor(mask, (batch, length), "the mask", torch.bool)
    expect_tensor(found.values, (batch, length, output.width), "values")
    expect(mask.any(dim=1).all(), "expected at least one token in every example, found an example without tokens")
    if same and given.mask is not None:
        expect(torch.equal(mask, given.mask), "expected the mask of the input, since the length is the same")
