"""Every random draw of a run comes from its seed, by name."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager


def derive_seed(seed: int, *names: str | int) -> int:
    """Derive an independent seed for one purpose (`derive_seed(42, "order", epoch)`); 63 bits."""
    text = "/".join(str(name) for name in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def isolated_torch_randomness() -> Iterator[None]:
    """Leave torch's global generators and its determinism switch as they were found."""
    import torch

    deterministic = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng():
        torch.use_deterministic_algorithms(True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic)
