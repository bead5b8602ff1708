from .gradients import StepGradients
from .losses import TaskLosses
from .non_finite import NonFiniteLossError
from .task_gradients import TaskGradients
from .weighting import Weighting

__all__ = [
    "NonFiniteLossError",
    "StepGradients",
    "TaskGradients",
    "TaskLosses",
    "Weighting",
]
