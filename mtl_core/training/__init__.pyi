from .gradients import StepGradients
from .losses import TaskLosses
from .non_finite import NonFiniteLossError
from .weighting import Weighting

__all__ = [
    "NonFiniteLossError",
    "StepGradients",
    "TaskLosses",
    "Weighting",
]
