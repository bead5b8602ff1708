"""The accelerator of a run: devices and precision."""

from accelerate import Accelerator
from accelerate.state import AcceleratorState

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.errors import MtlError
from mtl_core.training.process_group import check_world_size, start_process_group


def create_accelerator(config: ExperimentConfig) -> Accelerator:
    """Build the accelerator for devices and precision, and start the process group of a launcher.

    Raises:
        MtlError: If this machine does not support the configured precision, or if the processes of the launcher do
            not train together.
    """
    start_process_group()
    AcceleratorState._reset_state()  # otherwise all later runs of this process keep the precision of the first
    precision = config.training.precision
    try:
        accelerator = Accelerator(mixed_precision="no" if precision == "fp32" else precision)
    except ValueError as error:
        raise MtlError(f"training.precision: {precision} is not supported here: {error}") from error
    check_world_size(accelerator.num_processes)
    return accelerator
