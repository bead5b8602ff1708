"""Measurements of a run: inference time in one thread, peak memory."""

import sys
from time import perf_counter

import numpy as np
import torch

from mtl_core.data.batches import RowIndices, build_length_batches
from mtl_core.data.fitted_data import FittedData
from mtl_core.evaluation.inference import build_output_masks
from mtl_core.nn.device import get_device
from mtl_core.nn.network import MultiTaskNetwork

MAX_EXAMPLES = 128
"""Maximum number of timed examples."""
BATCH_SIZE = 32
"""Batch size."""
N_REPEATS = 3
"""Repetitions per batch; the minimum counts, since other load on the machine only adds time."""


@torch.inference_mode()
def measure_inference_ms(network: MultiTaskNetwork, data: FittedData, rows: RowIndices) -> float | None:
    """Measure the time of the network in one thread, without loading, encoding and decoding.

    Args:
        network: The network; it is set to evaluation mode.
        data: The fitted data. Tasks that predictions do not include are not computed.
        rows: `(n,)`, int64: row indices; an evenly spaced sample of them is timed.

    Returns:
        Milliseconds per example; None without examples.
    """
    if not len(rows):
        return None
    network.eval()
    device = get_device(network)
    sampled_rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), MAX_EXAMPLES)).astype(np.int64)]
    active_groups = [group.is_predicted for group in data.groups]
    output_masks = build_output_masks(active_groups)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    seconds = 0.0
    try:
        for batch_rows in build_length_batches(sampled_rows, data.examples.lengths, BATCH_SIZE):
            batch = data.examples.build_batch(batch_rows, device, active_groups=active_groups)
            fastest = float("inf")
            for _ in range(N_REPEATS):
                _synchronize(device)
                start = perf_counter()
                network(batch.inputs, output_masks, batch.masked_inputs)
                _synchronize(device)
                fastest = min(fastest, perf_counter() - start)
            seconds += fastest
    finally:
        torch.set_num_threads(threads)
    return 1000 * seconds / len(sampled_rows)


def _synchronize(device: torch.device) -> None:
    """Wait until all work on a device is complete."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure_peak_memory_mb() -> float | None:
    """Return the peak memory of this process, in megabytes of 1,000,000 bytes; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
