"""Assertions whose messages contain what was expected and what was found."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


class RandomStateError(AssertionError):
    """The state of a global random generator changed."""


@contextmanager
def isolate_rng() -> Iterator[None]:
    """Restore the global generators of Python and NumPy on exit."""
    python_state, numpy_state = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)


@contextmanager
def temporary_seed(seed: int) -> Iterator[None]:
    """Seed all global generators as a run does, and restore them on exit.

    Parts that build torch modules draw weights from torch's global generator, which a run seeds before.
    """
    import torch

    from mtl_core.seeding import isolate_torch_rng

    with isolate_torch_rng(), isolate_rng():
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        yield


@contextmanager
def preserves_rng_state(include_torch: bool = True) -> Iterator[None]:
    """Raise an error if the block changes a global generator.

    Args:
        include_torch: Whether to watch torch's generator in addition to those of Python and NumPy.

    Raises:
        RandomStateError: If the state of a generator changed.
    """
    before = _read_rng_states(include_torch)
    yield
    after = _read_rng_states(include_torch)
    for name, state in before.items():
        if state != after[name]:
            raise RandomStateError(
                f"expected the global random state of {name} to be unchanged, found it changed; "
                "use a local generator, seeded with the seed that the part receives"
            )


def _read_rng_states(include_torch: bool) -> dict[str, object]:
    numpy_state = np.random.get_state()
    states: dict[str, object] = {
        "random": random.getstate(),
        "numpy": [np.asarray(element).tolist() for element in numpy_state],
    }
    if include_torch:
        import torch

        states["torch"] = torch.get_rng_state().numpy().tobytes()
    return states
