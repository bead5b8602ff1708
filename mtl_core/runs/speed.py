"""Inference time of the network in one thread."""

from time import perf_counter

import numpy as np
import torch

from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.prepare import Prepared
from mtl_core.runs.saved import device_of
from mtl_core.training.batches import Rows, length_batches

EXAMPLES = 128
"""Maximum number of timed examples."""
BATCH = 32
"""Batch size."""
ROUNDS = 3
"""Repetitions per batch; the minimum counts, since other load on the machine only adds time."""


@torch.inference_mode()
def inference_ms(network: MultiTaskNetwork, prepared: Prepared, rows: Rows) -> float | None:
    """Measure the time of the network in one thread, without loading, encoding and decoding.

    Args:
        network: The network; it is set to evaluation mode.
        prepared: The fitted data. Tasks that predictions do not include are not computed.
        rows: `(n,)`, int64: row indices; an evenly spaced sample of them is timed.

    Returns:
        Milliseconds per example; None without examples.
    """
    if not len(rows):
        return None
    network.eval()
    device = device_of(network)
    chosen = rows[np.linspace(0, len(rows) - 1, min(len(rows), EXAMPLES)).astype(np.int64)]
    asked = [group.answered for group in prepared.groups]
    nothing = torch.zeros((1, 1), dtype=torch.bool)
    wanted = [None if ask else nothing for ask in asked]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = 0.0
    try:
        for batch_rows in length_batches(chosen, prepared.examples.lengths, BATCH):
            batch = prepared.examples.batch(batch_rows, device, needed=asked)
            best = float("inf")
            for _ in range(ROUNDS):
                _finish(device)
                start = perf_counter()
                network(batch.inputs, wanted, batch.hidden)
                _finish(device)
                best = min(best, perf_counter() - start)
            seconds += best
    finally:
        torch.set_num_threads(threads)
    return 1000 * seconds / len(chosen)


def _finish(device: torch.device) -> None:
    """Wait until all work on a device is complete."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
