"""How long the network takes to answer, in one thread."""

from time import perf_counter

import numpy as np
import torch

from mtl_core.model.network import MultiTaskNetwork
from mtl_core.runs.prepare import Prepared
from mtl_core.runs.saved import device_of
from mtl_core.training.batches import Rows, length_batches

EXAMPLES = 128
"""How many examples are timed at most."""
BATCH = 32
"""Examples in a batch."""
ROUNDS = 3
"""How often each batch is timed; the shortest counts, since whatever else the machine does adds time."""


@torch.inference_mode()
def inference_ms(network: MultiTaskNetwork, prepared: Prepared, rows: Rows) -> float | None:
    """Time the network alone on some examples, in one thread: neither reading, nor encoding, nor decoding.

    Args:
        network: It is put into evaluation mode.
        prepared: The data. Tasks that predictions do not tell are not computed.
        rows: The examples; some of them, evenly spread, are timed.

    Returns:
        Milliseconds an example; None if there is none.
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
    """Wait for what a device was told to do."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
