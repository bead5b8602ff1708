"""Learning-rate schedules, each with a linear warm-up."""

import math
from typing import Annotated, Literal

from pydantic import Field

from mtl_core.specs import ScheduleSpec

Share = Annotated[float, Field(ge=0, le=1)]


def _warm_up(step: int, total: int, warm_up: float) -> float:
    """Rise from near 0 to 1 over a share of the steps."""
    steps = round(total * warm_up)
    return (step + 1) / steps if step < steps else 1.0


def _progress(step: int, total: int, warm_up: float) -> float:
    """Where a step lies between the end of the warm-up (0) and the end of the run (1)."""
    steps = round(total * warm_up)
    return min(1.0, max(0, step - steps) / max(1, total - steps))


class Constant(ScheduleSpec):
    """The learning rate stays."""

    type: Literal["constant"] = "constant"
    warm_up: Share = 0.0
    """Share of all steps over which the rate rises."""

    def factor(self, step: int, total: int) -> float:
        """1 after the warm-up."""
        return _warm_up(step, total, self.warm_up)


class LinearDecay(ScheduleSpec):
    """The learning rate falls in a straight line."""

    type: Literal["linear"] = "linear"
    warm_up: Share = 0.0
    """Share of all steps over which the rate rises."""
    end: Share = 0.0
    """What is left of the rate at the end."""

    def factor(self, step: int, total: int) -> float:
        """From 1 to `end` after the warm-up."""
        fall = (1 - self.end) * _progress(step, total, self.warm_up)
        return _warm_up(step, total, self.warm_up) * (1 - fall)


class Cosine(ScheduleSpec):
    """The learning rate falls along half a cosine (Loshchilov and Hutter, 2017)."""

    type: Literal["cosine"] = "cosine"
    warm_up: Share = 0.0
    """Share of all steps over which the rate rises."""
    end: Share = 0.0
    """What is left of the rate at the end."""

    def factor(self, step: int, total: int) -> float:
        """From 1 to `end` after the warm-up."""
        wave = (1 + math.cos(math.pi * _progress(step, total, self.warm_up))) / 2
        return _warm_up(step, total, self.warm_up) * (self.end + (1 - self.end) * wave)
