"""Statistics over steps: running means, mean losses of an epoch, products of task gradients."""

import math

import pytest
import torch

from mtl_core.builtins.weightings.weighted_sum import WeightedSum
from mtl_core.testing.sample_run import SampleRun
from mtl_core.training.gram_matrix import compute_gram_matrix
from mtl_core.training.loss_meter import LossMeter
from mtl_core.training.losses import TaskLosses
from mtl_core.training.running_means import RunningMeans, SplitHalfMeans

NAN = math.nan

# ── running means ──

ROWS = torch.tensor([[1.0, NAN, NAN], [3.0, 5.0, NAN], [8.0, NAN, NAN], [NAN, 6.0, 2.0]])


def test_running_means_leave_out_missing_values() -> None:
    means = RunningMeans(3)
    for row in ROWS:
        means.add(row)
    assert means.mean().tolist() == [4.0, 5.5, 2.0]
    # The sample variance of 1, 3, 8 is 13, that of 5 and 6 is 0.5; one value has none.
    first, second, third = means.standard_error().tolist()
    assert (first, second) == pytest.approx((math.sqrt(13 / 3), math.sqrt(0.5 / 2)))
    assert math.isnan(third)
    assert means.count.tolist() == [3, 2, 1]
    assert means.mean().dtype == means.standard_error().dtype == torch.float64


def test_running_means_without_values_are_missing() -> None:
    means = RunningMeans(2, 2)
    assert means.mean().shape == means.standard_error().shape == (2, 2)
    assert bool(means.mean().isnan().all())
    means.add(torch.ones(2, 2))
    means.reset()
    assert bool(means.mean().isnan().all())
    assert not any(bool(buffer.any()) for buffer in means.buffers())


def test_equal_values_have_no_standard_error() -> None:
    """Rounding may make the sum of squares too small, but never the variance negative."""
    means = RunningMeans(1)
    for _ in range(3):
        means.add(torch.tensor([0.1], dtype=torch.float64))
    assert means.standard_error().tolist() == pytest.approx([0.0], abs=1e-8)


def test_running_means_are_exact_for_large_values() -> None:
    means = RunningMeans(1)
    for value in (5000.0, 5001.0, 5002.0):  # the sum of squares has more digits than a 32-bit float
        means.add(torch.tensor([value]))
    assert means.standard_error().tolist() == pytest.approx([1 / math.sqrt(3)])
    assert means.count.dtype == torch.int64


def test_even_and_odd_steps_have_separate_means() -> None:
    halves = SplitHalfMeans(3)
    for step, row in enumerate(ROWS):
        halves.add(row, step)
    assert halves.selection.mean().tolist()[0] == 4.5
    assert halves.validation.mean().tolist() == [3.0, 5.5, 2.0]
    combined, expected = halves.combine(), RunningMeans(3)
    for row in ROWS:
        expected.add(row)
    for (name, buffer), (_, value) in zip(combined.named_buffers(), expected.named_buffers(), strict=True):
        torch.testing.assert_close(buffer, value, msg=name)
    assert halves.selection.count.tolist() == [2, 0, 0]  # unchanged


# ── losses of an epoch ──


def build_losses(values: list[float], tasks: list[int], counts: list[int], weights: list[float] | None) -> TaskLosses:
    tensor = torch.tensor(values, requires_grad=True)
    if weights is not None:
        tensor.grad = torch.tensor(weights)
    return TaskLosses(tensor, torch.tensor(tasks), torch.tensor(counts))


def test_loss_meter_computes_means_over_labels_and_weights_over_steps() -> None:
    meter = LossMeter(["a", "b", "c"])
    assert meter.compute_means() == {"a": None, "b": None, "c": None}
    meter.add(build_losses([4.0, 1.0], [0, 2], [3, 0, 1], None))
    assert meter.compute_mean_weights() == {}
    meter.add(build_losses([2.0], [0], [1, 0, 0], [0.5]))
    meter.add(build_losses([8.0, 3.0], [0, 2], [4, 0, 1], [1.0, 2.0]))
    assert meter.compute_means() == {"a": (3 * 4 + 2 + 4 * 8) / 8, "b": None, "c": 2.0}
    assert meter.compute_mean_weights() == {"a": 0.75, "b": None, "c": 2.0}


def test_loss_meter_is_restored_from_a_checkpoint() -> None:
    first, second = LossMeter(["a", "b"]), LossMeter(["a", "b"])
    first.add(build_losses([4.0, 1.0], [0, 1], [3, 2], [0.5, 0.25]))
    second.restore({name: tensor.clone() for name, tensor in first.get_tensors().items()})
    for meter in (first, second):
        meter.add(build_losses([1.0], [1], [0, 2], [0.75]))
    assert second.compute_means() == first.compute_means() == {"a": 4.0, "b": 1.0}
    assert second.compute_mean_weights() == first.compute_mean_weights() == {"a": 0.5, "b": 0.5}


def test_loss_meter_is_exact_for_many_labels() -> None:
    """32-bit floats cannot represent 2²⁴ + 1."""
    meter = LossMeter(["a"])
    for count in (2**24, 1):
        meter.add(build_losses([3.0], [0], [count], [float(count)]))
    assert meter.totals.tolist() == [3 * (2**24 + 1)]
    assert meter.compute_means() == {"a": 3.0}
    assert meter.compute_mean_weights() == {"a": (2**24 + 1) / 2}
    assert [tensor.dtype for tensor in meter.get_tensors().values()] == [torch.float64, torch.int64] * 2


def test_loss_meter_keeps_no_graph() -> None:
    meter = LossMeter(["a"])
    meter.add(build_losses([4.0], [0], [1], None))
    assert not meter.totals.requires_grad


# ── products of gradients ──


@pytest.mark.parametrize("n_rows", [0, 1, 2, 3, 4, 100])
def test_gram_matrix_in_blocks(n_rows: int) -> None:
    """The matrix contains all products of gradients, however many gradients fit into memory."""
    run = SampleRun(WeightedSum())
    values = run.compute_losses().values
    jacobian = torch.stack(
        [
            torch.cat([g.flatten() for g in torch.autograd.grad(value, run.gradients.shared, retain_graph=True)])
            for value in values
        ]
    )
    visited: list[tuple[int, torch.Tensor]] = []
    gram = compute_gram_matrix(
        values,
        run.gradients,
        lambda index, gradient: visited.append((index, gradient.clone())),
        max_elements=n_rows * jacobian.shape[1],
    )
    torch.testing.assert_close(gram, jacobian @ jacobian.T)
    assert [index for index, _ in visited] == [0, 1, 2, 3]
    torch.testing.assert_close(torch.stack([gradient for _, gradient in visited]), jacobian)


@pytest.mark.parametrize("n_rows", [2, 3, 4])
def test_gram_matrix_computes_few_gradients(n_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """With memory for n gradients, a block has n of them, and each later gradient is computed once per block."""
    run = SampleRun(WeightedSum())
    sizes: list[int] = []
    jacobian = run.gradients.jacobian

    def count(values: torch.Tensor, *arguments: object) -> torch.Tensor:
        sizes.append(len(values))
        return jacobian(values, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(run.gradients, "jacobian", count)
    n_elements = sum(parameter.numel() for parameter in run.gradients.shared)
    compute_gram_matrix(run.compute_losses().values, run.gradients, lambda *_: None, n_rows * n_elements)
    assert sizes == {2: [2, 1, 1, 2], 3: [3, 1, 1], 4: [4]}[n_rows]
