"""Aggregators that project gradients onto the dual cone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import NonNegativeFloat

from mtl_torchjd.aggregator_spec import EXTRA
from mtl_torchjd.preferences import PreferenceSpec


class ProjectionSpec(PreferenceSpec):
    """An aggregator that projects onto the directions in which no task's loss increases."""

    modules: ClassVar[Mapping[str, str]] = {"qpsolvers": EXTRA, "quadprog": EXTRA}
    norm_eps: NonNegativeFloat = 1e-4
    """Minimum sum of the squared gradients; below it, gradients are not projected."""
    reg_eps: NonNegativeFloat = 1e-4
    """Added to the diagonal of the normalized Gramian, for the stability of the solver."""
