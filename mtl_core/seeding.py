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
    """Restore torch's global generators and its determinism mode on exit.

    In its deterministic mode, torch fills new memory with NaN, also memory that an operation writes next. This finds
    operations that read uninitialized memory, but takes a pass over every new tensor: it is disabled.
    """
    import torch
    from torch.utils import deterministic

    # The same mode as `use_deterministic_algorithms`, which would import the compiler first (1 s and 100 MB).
    deterministic_mode = torch.get_deterministic_debug_mode()
    fills_memory = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]  # a dynamic attribute
    if torch.cuda.is_available():
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it
    # Of other GPUs, each process of a distributed run would otherwise occupy memory.
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        torch.set_deterministic_debug_mode("error")
        deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(deterministic_mode)
            deterministic.fill_uninitialized_memory = fills_memory  # type: ignore[attr-defined]
