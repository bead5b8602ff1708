"""Runs of these tests measure the costs of auxiliary tasks in a few steps."""

from collections.abc import Iterator

import pytest
from quick_costs import measure_costs_quickly


@pytest.fixture(scope="session", autouse=True)
def quick_costs() -> Iterator[None]:
    with measure_costs_quickly():
        yield
