"""Assertions about tensors, with readable messages."""

from collections.abc import Sequence

import torch

from mtl_core.testing.expectations import expect, fail


def shown(value: object) -> str:
    """Describe a value's type; for tensors also shape and dtype."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}, {value.dtype}"
    return "None (is there a `return`?)" if value is None else f"a {type(value).__name__}"


def expect_tensor(
    value: object, shape: tuple[int, ...], what: str, dtype: torch.dtype | None = None
) -> torch.Tensor:
    """Check the shape and dtype of a tensor; without `dtype`, it must be floating point.

    Raises:
        AssertionError: If the value is not such a tensor.
    """
    wanted = f"a tensor of shape {shape}, {dtype or 'float'}"
    if not isinstance(value, torch.Tensor) or tuple(value.shape) != shape:
        fail(f"{what}: expected {wanted}, found {shown(value)}")
    right = value.dtype == dtype if dtype is not None else value.is_floating_point()
    expect(right, f"{what}: expected {wanted}, found {shown(value)}")
    return value


def expect_close(found: torch.Tensor, expected: torch.Tensor, tolerance: float, what: str) -> None:
    """Check that two tensors are equal up to a tolerance, relative where numbers are larger than 1.

    Raises:
        AssertionError: If they differ.
    """
    if found.shape != expected.shape:
        fail(f"{what}: expected {shown(expected)}, found {shown(found)}")
    if found.dtype == torch.bool or not found.is_floating_point():
        expect(torch.equal(found, expected), f"{what}: expected {expected.tolist()}, found {found.tolist()}")
        return
    found, expected = found.detach(), expected.detach()
    gap = (found - expected).abs()
    bad = ~((gap <= tolerance * expected.abs().clamp_min(1)) | (found == expected))
    if bad.any():
        place = tuple(bad.nonzero()[0].tolist())
        fail(
            f"{what}: expected {float(expected[place]):.7g} at {place} (to within {tolerance:g}), "
            f"found {float(found[place]):.7g}; {int(bad.sum())} of {bad.numel()} numbers differ"
        )


def expect_rows(
    found: Sequence[torch.Tensor], expected: Sequence[torch.Tensor], tolerance: float, what: str
) -> None:
    """Check that every example has its expected result, up to a tolerance.

    Raises:
        AssertionError: If one differs.
    """
    expect(len(found) == len(expected), f"{what}: expected {len(expected)} examples, found {len(found)}")
    for place, (one, other) in enumerate(zip(found, expected, strict=True)):
        expect_close(one, other, tolerance, f"{what}, example {place + 1}")


def expect_finite(value: torch.Tensor, what: str) -> None:
    """Check that a tensor contains no NaN and no infinity.

    Raises:
        AssertionError: If it contains one.
    """
    bad = int((~torch.isfinite(value)).sum())
    expect(not bad, f"{what}: expected finite numbers, found {bad} of {value.numel()} that are not")
