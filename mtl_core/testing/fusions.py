"""Checks of fusions of input columns."""

from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import nn

from mtl_core.nn.features import Features, FeatureShape
from mtl_core.plugins.specs import FusionSpec
from mtl_core.testing.checks import Checks, build_accepted, expect
from mtl_core.testing.modules import ModuleFixture, add_module_checks
from mtl_core.testing.rng import temporary_seed
from mtl_core.testing.sample_modules import collate_samples, name_shapes, unpad_features
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import describe_value, expect_tensor

STATIC_COLUMNS = ("first.column", "items")
"""Columns with one vector per example, besides the column under test."""


class FusedColumns(nn.Module):
    """A fusion of one column of features and two columns that are derived from them.

    Args:
        spec: The fusion.
        shape: The shape of the column's features.
    """

    def __init__(self, spec: FusionSpec, shape: FeatureShape) -> None:
        super().__init__()
        vector = FeatureShape(shape.width)
        self.fusion = spec.build({STATIC_COLUMNS[0]: vector, "column": shape, STATIC_COLUMNS[1]: vector})
        self.output = getattr(self.fusion, "output", None)

    def forward(self, features: Features) -> Features:
        """Return the joint features."""
        vector = features.mean_pool()
        return self.fuse(
            {STATIC_COLUMNS[0]: Features(vector), "column": features, STATIC_COLUMNS[1]: Features(-vector)}
        )

    def fuse(self, columns: Mapping[str, Features]) -> Features:
        """Return the joint features of columns."""
        features: Features = self.fusion(columns)
        return features


def fusion_checks(
    spec: FusionSpec, shapes: Sequence[FeatureShape] | None, skip: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.fusion_checks`."""
    checks = spec_checks(spec)
    candidates = name_shapes(shapes)
    for variant in build_accepted(checks, candidates, partial(FusedColumns, spec), "features"):
        shape = candidates[variant]
        fixture = ModuleFixture(partial(FusedColumns, spec, shape), _run, shape, variant, tolerance)
        checks.add(
            "shape",
            "It returns `Features` of the shape that its `output` declares.",
            partial(_check_shape, fixture),
            variant,
        )
        checks.add("columns", "Every column affects the result.", partial(_check_columns, fixture), variant)
        add_module_checks(checks, fixture)
    return checks.skip_checks(skip)


def _run(module: nn.Module, features: Features) -> list[torch.Tensor]:
    return unpad_features(module(features))


def _check_shape(fixture: ModuleFixture) -> None:
    with temporary_seed(0), torch.no_grad():
        module = fixture.build_module()
        shape = module.output
        if not isinstance(shape, FeatureShape):
            raise AssertionError(
                f"expected the module's attribute `output` to be a FeatureShape, found {describe_value(shape)}"
            )
        features = collate_samples(fixture.draw_samples(), extra_padding=1)
        outputs = module(features)
        expect(isinstance(outputs, Features), f"expected Features, found {describe_value(outputs)}")
        batch = len(features.values)
        if shape.sequence:
            expected_mask = features.mask
            is_same = (
                outputs.mask is not None and expected_mask is not None and torch.equal(outputs.mask, expected_mask)
            )
            expect(is_same, "expected the mask of the column with tokens, since `output` declares tokens")
            expect_tensor(outputs.values, (batch, features.values.shape[1], shape.width), "the values, one per token")
            return
        expect(outputs.mask is None, "expected no mask, since `output` declares no tokens")
        expect_tensor(outputs.values, (batch, shape.width, *(shape.size or ())), "the values")


def _check_columns(fixture: ModuleFixture) -> None:
    with temporary_seed(0), torch.no_grad():
        module = fixture.build_module()
        if not isinstance(module, FusedColumns):
            raise AssertionError(f"expected a fusion of columns, found {describe_value(module)}")
        features = collate_samples(fixture.draw_samples())
        vector = features.mean_pool()
        columns = {
            STATIC_COLUMNS[0]: Features(vector),
            "column": features,
            STATIC_COLUMNS[1]: Features(-vector),
        }
        expected = module.fuse(columns).values
        for name, column in columns.items():
            changed = module.fuse({**columns, name: Features(column.values + 1, column.mask)}).values
            expect(not torch.equal(changed, expected), f"expected the column '{name}' to affect the result")
