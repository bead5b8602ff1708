"""Repeat a computation with the same random numbers and without side effects."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

State = tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]


class RngSnapshot:
    """A snapshot of the states of the random generators and of module buffers before a computation.

    With the snapshot restored, dropout samples the same masks, and the repetition does not change buffers such as
    the running statistics of batch normalisation.

    Args:
        modules: The modules whose buffers may change.
        device: The device of the modules.
    """

    def __init__(self, modules: Sequence[nn.Module], device: torch.device) -> None:
        self._modules = modules
        self._device = device
        self._initial_state = self._get_state()

    @contextmanager
    def restore(self) -> Iterator[None]:
        """Restore the snapshot inside the block, and the current states after it."""
        current_state = self._get_state()
        self._set_state(self._initial_state)
        try:
            yield
        finally:
            self._set_state(current_state)

    def _get_state(self) -> State:
        generators = [torch.get_rng_state()]
        if self._device.type != "cpu":
            generators.append(torch.get_device_module(self._device).get_rng_state())
        return generators, [{name: b.detach().clone() for name, b in m.named_buffers()} for m in self._modules]

    def _set_state(self, state: State) -> None:
        generators, buffers = state
        torch.set_rng_state(generators[0])
        if self._device.type != "cpu":
            torch.get_device_module(self._device).set_rng_state(generators[1])
        for module, saved in zip(self._modules, buffers, strict=True):
            for name, buffer in module.named_buffers():
                buffer.data.copy_(saved[name])  # `data`: does not invalidate a graph that is still needed
