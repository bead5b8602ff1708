"""The device of a network."""

import torch


def get_device(network: torch.nn.Module) -> torch.device:
    """Return the device of a network; the CPU for a network without parameters."""
    return next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
