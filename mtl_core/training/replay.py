"""Computing something once more as it was computed the first time, and without a trace."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import nn

State = tuple[list[torch.Tensor], list[dict[str, torch.Tensor]]]


class Replay:
    """Remembers where the random generators stand and what buffers hold, before something is computed.

    With both put back, dropout draws the same masks, and what counts its calls (batch normalisation) counts none.

    Args:
        modules: Whose buffers may change.
        device: Where they compute.
    """

    def __init__(self, modules: Sequence[nn.Module], device: torch.device) -> None:
        self._modules = modules
        self._device = device
        self._before = self._state()

    @contextmanager
    def again(self) -> Iterator[None]:
        """Be, inside, where everything began; afterwards, everything is where it stood."""
        now = self._state()
        self._restore(self._before)
        try:
            yield
        finally:
            self._restore(now)

    def _state(self) -> State:
        generators = [torch.get_rng_state()]
        if self._device.type != "cpu":
            generators.append(torch.get_device_module(self._device).get_rng_state())
        return generators, [{name: b.detach().clone() for name, b in m.named_buffers()} for m in self._modules]

    def _restore(self, state: State) -> None:
        generators, buffers = state
        torch.set_rng_state(generators[0])
        if self._device.type != "cpu":
            torch.get_device_module(self._device).set_rng_state(generators[1])
        for module, saved in zip(self._modules, buffers, strict=True):
            for name, buffer in module.named_buffers():
                buffer.data.copy_(saved[name])  # `data`: a graph that is still to be used does not mind
