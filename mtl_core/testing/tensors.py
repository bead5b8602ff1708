"""Assertions about tensors, with readable messages."""

from collections.abc import Sequence

import torch

from mtl_core.testing.checks import expect, fail


def describe_value(value: object) -> str:
    """Describe a value's type; for tensors also shape and dtype."""
    if isinstance(value, torch.Tensor):
        return f"a tensor of shape {tuple(value.shape)}, {value.dtype}"
    return "None (is there a `return`?)" if value is None else f"a {type(value).__name__}"


def expect_tensor(value: object, shape: tuple[int, ...], name: str, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Check the shape and dtype of a tensor; without `dtype`, it must be floating point.

    Raises:
        AssertionError: If the value is not such a tensor.
    """
    expected = f"a tensor of shape {shape}, {dtype or 'float'}"
    if not isinstance(value, torch.Tensor) or tuple(value.shape) != shape:
        fail(f"{name}: expected {expected}, found {describe_value(value)}")
    has_dtype = value.dtype == dtype if dtype is not None else value.is_floating_point()
    expect(has_dtype, f"{name}: expected {expected}, found {describe_value(value)}")
    return value


def expect_close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float, name: str) -> None:
    """Check that two tensors are equal up to a tolerance, relative where numbers are larger than 1.

    Raises:
        AssertionError: If they differ.
    """
    if actual.shape != expected.shape:
        fail(f"{name}: expected {describe_value(expected)}, found {describe_value(actual)}")
    if actual.dtype == torch.bool or not actual.is_floating_point():
        expect(torch.equal(actual, expected), f"{name}: expected {expected.tolist()}, found {actual.tolist()}")
        return
    actual, expected = actual.detach(), expected.detach()
    difference = (actual - expected).abs()
    mismatch = ~((difference <= tolerance * expected.abs().clamp_min(1)) | (actual == expected))
    if mismatch.any():
        index = tuple(mismatch.nonzero()[0].tolist())
        fail(
            f"{name}: expected {float(expected[index]):.7g} at {index} (to within {tolerance:g}), "
            f"found {float(actual[index]):.7g}; {int(mismatch.sum())} of {mismatch.numel()} numbers differ"
        )


def expect_rows(actual: Sequence[torch.Tensor], expected: Sequence[torch.Tensor], tolerance: float, name: str) -> None:
    """Check that every example has its expected result, up to a tolerance.

    Raises:
        AssertionError: If one differs.
    """
    expect(len(actual) == len(expected), f"{name}: expected {len(expected)} examples, found {len(actual)}")
    for index, (one, other) in enumerate(zip(actual, expected, strict=True)):
        expect_close(one, other, tolerance, f"{name}, example {index + 1}")


def expect_finite(value: torch.Tensor, name: str) -> None:
    """Check that a tensor contains no NaN and no infinity.

    Raises:
        AssertionError: If it contains one.
    """
    n_not_finite = int((~torch.isfinite(value)).sum())
    expect(not n_not_finite, f"{name}: expected finite numbers, found {n_not_finite} of {value.numel()} that are not")
