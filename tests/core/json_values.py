"""Comparison of JSON values up to rounding."""

from typing import Any

import pytest


def check_close(value: Any, expected: Any) -> None:
    """Check that two JSON values are equal up to rounding of numbers."""
    assert type(value) is type(expected)
    if isinstance(expected, dict):
        assert value.keys() == expected.keys()
        for key in expected:
            check_close(value[key], expected[key])
    elif isinstance(expected, list):
        assert len(value) == len(expected)
        for item, expected_item in zip(value, expected, strict=True):
            check_close(item, expected_item)
    elif isinstance(expected, float):
        assert value == pytest.approx(expected, abs=1e-5)
    else:
        assert value == expected
