"""Random state: seeding it for a check, and watching that a part leaves it alone."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from mtl_core.testing.expectations import RandomStateError


@contextmanager
def generators_kept() -> Iterator[None]:
    """Put the global generators of Python and NumPy back afterwards."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed all global generators, under the conditions of a run, and put them back afterwards.

    Parts that build torch modules draw weights from torch's global generator: runs seed it before they build.
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
    """Fail if what happens inside changes a global generator.

    Args:
        torch_too: Whether torch's generator is watched as well as those of Python and NumPy.

    Raises:
        RandomStateError: If one is changed.
    """
    before = _states(torch_too)
    yield
    after = _states(torch_too)
    for name, state in before.items():
        if state != after[name]:
            raise RandomStateError(
                f"expected the global random state of {name} to be left as it was, found it changed; "
                "draw from a generator of your own, seeded with what is handed in"
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
