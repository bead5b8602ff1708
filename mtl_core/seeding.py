"""Random seeds: every random draw of a run uses a seed derived from the run's seed and a name."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager


def derive_seed(seed: int, *names: str | int) -> int:
    """Derive an independent seed for one purpose (`derive_seed(42, "order", epoch)`); 63 bits."""
    text = "/".join(str(name) for name in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


@contextmanager
def isolate_torch_rng() -> Iterator[None]:
    """Restore torch's global generators and its determinism mode on exit."""
    import torch

    # The same mode as `use_deterministic_algorithms`, which would import the compiler first (1 s and 100 MB).
    deterministic_mode = torch.get_deterministic_debug_mode()
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it
    # Of other GPUs, each process of a distributed run would otherwise occupy memory.
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        torch.set_deterministic_debug_mode("error")
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(deterministic_mode)
