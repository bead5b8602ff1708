"""Context managers that seed, restore and watch the global random state."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from mtl_core.testing.expectations import RandomStateError


@contextmanager
def generators_kept() -> Iterator[None]:
    """Restore the global generators of Python and NumPy on exit."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed all global generators as a run does, and restore them on exit.

    Parts that build torch modules draw weights from torch's global generator, which a run seeds before.
    """
    import torch

    from mtl_core.seeding import isolated_torch_randomness

    with isolated_torch_randomness(), generators_kept():
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        yield


@contextmanager
def left_alone(torch_too: bool = True) -> Iterator[None]:
    """Raise an error if the block changes a global generator.

    Args:
        torch_too: Whether to watch torch's generator in addition to those of Python and NumPy.

    Raises:
        RandomStateError: If the state of a generator changed.
    """
    before = _states(torch_too)
    yield
    after = _states(torch_too)
    for name, state in before.items():
        if state != after[name]:
            raise RandomStateError(
                f"expected the global random state of {name} to be unchanged, found it changed; "
                "use a local generator, seeded with the seed that the part receives"
            )


def _states(torch_too: bool) -> dict[str, object]:
    numpy = np.random.get_state()
    states: dict[str, object] = {
        "random": random.getstate(),
        "numpy": [np.asarray(part).tolist() for part in numpy],
    }
    if torch_too:
        import torch

        states["torch"] = torch.get_rng_state().numpy().tobytes()
    return states
