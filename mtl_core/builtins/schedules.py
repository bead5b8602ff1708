"""Learning-rate schedules, each with a linear warmup."""

import math
from typing import Literal

from mtl_core.plugins.number_fields import Fraction
from mtl_core.plugins.specs import ScheduleSpec


def _compute_warmup(step: int, total: int, warmup: float) -> float:
    """Return the warmup factor, which rises from near 0 to 1 over a fraction of the steps."""
    steps = round(total * warmup)
    return (step + 1) / steps if step < steps else 1.0


def _compute_progress(step: int, total: int, warmup: float) -> float:
    """Return a step's progress from the end of the warmup (0) to the end of the run (1)."""
    steps = round(total * warmup)
    return min(1.0, max(0, step - steps) / max(1, total - steps))


class Constant(ScheduleSpec):
    """Constant learning rate."""

    type: Literal["constant"] = "constant"
    warmup: Fraction = 0.0
    """Fraction of all steps used for warmup."""

    def compute_factor(self, step: int, total: int) -> float:
        """Return the factor: 1 after the warmup."""
        return _compute_warmup(step, total, self.warmup)


class LinearDecay(ScheduleSpec):
    """Linear decay of the learning rate."""

    type: Literal["linear"] = "linear"
    warmup: Fraction = 0.0
    """Fraction of all steps used for warmup."""
    final: Fraction = 0.0
    """Final learning rate, as a fraction of the initial one."""

    def compute_factor(self, step: int, total: int) -> float:
        """Return the factor: from 1 to `final` after the warmup."""
        decay = (1 - self.final) * _compute_progress(step, total, self.warmup)
        return _compute_warmup(step, total, self.warmup) * (1 - decay)


class Cosine(ScheduleSpec):
    """Cosine decay of the learning rate (Loshchilov and Hutter, 2017)."""

    type: Literal["cosine"] = "cosine"
    warmup: Fraction = 0.0
    """Fraction of all steps used for warmup."""
    final: Fraction = 0.0
    """Final learning rate, as a fraction of the initial one."""

    def compute_factor(self, step: int, total: int) -> float:
        """Return the factor: from 1 to `final` after the warmup."""
        cosine = (1 + math.cos(math.pi * _compute_progress(step, total, self.warmup))) / 2
        return _compute_warmup(step, total, self.warmup) * (self.final + (1 - self.final) * cosine)
