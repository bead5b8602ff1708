"""The reference time R: 100 steps of a bare two-layer BiLSTM, to compare times of different machines and days."""

from functools import cache
from statistics import median
from time import perf_counter

import torch

STEPS, REPETITIONS, WARMUP_STEPS, THREADS = 100, 5, 10, 2


def main() -> None:
    """Print the reference time."""
    print(f"R = {measure_reference():.2f} s")


@cache
def measure_reference() -> float:
    """Return the reference time in seconds: the median of the repetitions, measured once per process.

    Forward and backward pass with 300 features and 128 units per direction, batches of 32 x 20, on two threads.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    network = torch.nn.LSTM(300, 128, num_layers=2, bidirectional=True, batch_first=True)
    inputs = torch.randn(32, 20, 300)
    _time_steps(network, inputs, WARMUP_STEPS)
    reference = median(_time_steps(network, inputs, STEPS) for _ in range(REPETITIONS))
    torch.set_num_threads(threads)
    return reference


def _time_steps(network: torch.nn.LSTM, inputs: torch.Tensor, steps: int) -> float:
    start = perf_counter()
    for _ in range(steps):
        network.zero_grad(set_to_none=True)
        outputs, _ = network(inputs)
        outputs.sum().backward()
    return perf_counter() - start
