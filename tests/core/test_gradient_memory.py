"""How many gradients are in memory at a time: weightings hold one per task, interactions as many as their limit."""

import pytest
import torch
from tensor_memory import measure_tensor_peak

from mtl_core.builtins.weightings.weighted_sum import WeightedSum
from mtl_core.testing import sample_run
from mtl_core.training.gram_matrix import MAX_GRADIENT_ELEMENTS, compute_gram_matrix

WIDTH = 1000
"""Size of the features: the shared parameters are two layers of WIDTH² elements."""
N_TASKS = 4


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> sample_run.SampleRun:
    """A training with four tasks and two million shared parameters."""
    monkeypatch.setattr(sample_run, "WIDTH", WIDTH)
    return sample_run.SampleRun(WeightedSum())


def get_gradient_bytes(run: sample_run.SampleRun) -> int:
    return sum(parameter.nbytes for parameter in run.gradients.shared)


def compute_gram(run: sample_run.SampleRun, max_gradients: int) -> None:
    """Compute the Gram matrix with memory for some gradients; 0 computes only one gradient."""
    losses = run.compute_losses().values
    if not max_gradients:
        torch.autograd.grad(losses.sum(), run.gradients.shared)
        return
    n_elements = sum(parameter.numel() for parameter in run.gradients.shared)
    compute_gram_matrix(losses, run.gradients, lambda *_: None, max_gradients * n_elements)


def run_backward(run: sample_run.SampleRun, per_task: bool) -> None:
    losses = run.compute_losses().values
    if per_task:
        gradients = run.gradients.backward_each(losses, torch.arange(N_TASKS))
        run.gradients.accumulate_shared_grad(gradients.sum(dim=0))
    else:
        run.gradients.backward(losses.sum())


@pytest.mark.parametrize("max_gradients", [2, N_TASKS])
def test_gram_matrix_holds_as_many_gradients_as_its_limit(max_gradients: int, run: sample_run.SampleRun) -> None:
    assert MAX_GRADIENT_ELEMENTS * 4 == 256 * 2**20  # bytes, as in the documentation
    # One more gradient is computed at a time. A block that is stored while the next one is computed would add to it.
    growth = measure_tensor_peak(lambda: compute_gram(run, max_gradients)) - measure_tensor_peak(
        lambda: compute_gram(run, 0)
    )
    assert max_gradients - 1 < growth / get_gradient_bytes(run) < max_gradients + 1.1


def test_one_backward_pass_per_task_holds_one_gradient_per_task(run: sample_run.SampleRun) -> None:
    growth = measure_tensor_peak(lambda: run_backward(run, True)) - measure_tensor_peak(
        lambda: run_backward(run, False)
    )
    # The gradient of one task before it is copied to its row, and the combined gradient are two more.
    assert N_TASKS - 1 < growth / get_gradient_bytes(run) < N_TASKS + 1.5
