"""Learning-rate schedules, each with a linear warmup."""

import math
from typing import Annotated, Literal

from pydantic import Field

from mtl_core.specs import ScheduleSpec

Share = Annotated[float, Field(ge=0, le=1)]


def _warm_up(step: int, total: int, warm_up: float) -> float:
    """Return the warmup factor, which rises from near 0 to 1 over a fraction of the steps."""
    steps = round(total * warm_up)
    return (step + 1) / steps if step < steps else 1.0


def _progress(step: int, total: int, warm_up: float) -> float:
    """Return a step's progress from the end of the warmup (0) to the end of the run (1)."""
    steps = round(total * warm_up)
    return min(1.0, max(0, step - steps) / max(1, total - steps))


class Constant(ScheduleSpec):
    """Constant learning rate."""

    type: Literal["constant"] = "constant"
    warm_up: Share = 0.0
    """Fraction of all steps used for warmup."""

    def factor(self, step: int, total: int) -> float:
        """Return the factor: 1 after the warmup."""
        return _warm_up(step, total, self.warm_up)


class LinearDecay(ScheduleSpec):
    """Linear decay of the learning rate."""

    type: Literal["linear"] = "linear"
    warm_up: Share = 0.0
    """Fraction of all steps used for warmup."""
    end: Share = 0.0
    """Final learning rate, as a fraction of the initial one."""

    def factor(self, step: int, total: int) -> float:
        """Return the factor: from 1 to `end` after the warmup."""
        fall = (1 - self.end) * _progress(step, total, self.warm_up)
        return _warm_up(step, total, self.warm_up) * (1 - fall)


class Cosine(ScheduleSpec):
    """Cosine decay of the learning rate (Loshchilov and Hutter, 2017)."""

    type: Literal["cosine"] = "cosine"
    warm_up: Share = 0.0
    """Fraction of all steps used for warmup."""
    end: Share = 0.0
    """Final learning rate, as a fraction of the initial one."""

    def factor(self, step: int, total: int) -> float:
        """Return the factor: from 1 to `end` after the warmup."""
        wave = (1 + math.cos(math.pi * _progress(step, total, self.warm_up))) / 2
        return _warm_up(step, total, self.warm_up) * (self.end + (1 - self.end) * wave)
