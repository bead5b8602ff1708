"""Checks of a task kind's `TaskKind`."""

from functools import cached_property

import torch
from torch import nn

from mtl_core.data.label_space import MISSING
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.label_trials import MadeKind
from mtl_core.testing.masked_loss import expect_unmoved
from mtl_core.testing.randomness import left_alone, seeded
from mtl_core.testing.tensors import expect_close, expect_finite, expect_tensor, shown
from mtl_core.training.kinds import Prediction, TaskKind


class KindRuntime:
    """Checks of the `TaskKind` that a spec builds for sample labels.

    Args:
        made: The kind with its sample labels.
        tolerance: Tolerance for numbers that should be equal.
    """

    def __init__(self, made: MadeKind, tolerance: float) -> None:
        self.made, self.kind, self.tolerance = made, made.kind, tolerance

    def _outputs(self) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.randn(len(self.made.targets), self.kind.outputs, generator=generator)

    def form(self) -> None:
        """Check the attributes."""
        kind = self.kind
        expect(isinstance(kind, TaskKind), f"expected a TaskKind, found {shown(kind)}")
        expect(
            isinstance(kind.outputs, int) and kind.outputs > 0, f"expected `outputs` > 0, found {kind.outputs!r}"
        )
        expect(isinstance(kind.loss, nn.Module), f"expected `loss` to be a torch module, found {shown(kind.loss)}")
        keys = [metric.key() for metric in kind.metrics]
        expect(keys and len(set(keys)) == len(keys), f"expected metrics of different names, found {keys}")
        expect(0 <= kind.hides < 1, f"expected `hides` from 0 to 1, found {kind.hides}")
        if kind.class_weights is not None:
            expect_tensor(kind.class_weights, (len(self.made.space.classes),), "the class weights")
        if kind.baseline is not None:
            with left_alone():
                expect_tensor(kind.baseline_outputs(3), (3, kind.outputs), "the baseline's outputs of 3 examples")

    def no_counts(self) -> None:
        """Build a kind without label counts."""
        kind = self.made.spec.build(self.made.space, {})
        expect(kind.outputs == self.kind.outputs, f"expected {self.kind.outputs} outputs, found {kind.outputs}")
        kind.decode(self._outputs())

    def rows(self) -> None:
        """Compare the losses of a batch with the loss of each row in a batch of one."""
        with seeded(0), left_alone():
            outputs = self._outputs().requires_grad_()
            whole = self.kind.loss(outputs, self.made.targets)
            expect_tensor(whole, (len(outputs),), "the losses, one per row")
            for row in range(len(outputs)):
                alone = self.kind.loss(outputs[row : row + 1], self.made.targets[row : row + 1])
                expect_close(alone[0], whole[row], self.tolerance, f"the loss of row {row + 1} in a batch of one")
            whole.sum().backward()
            if outputs.grad is None:
                fail("expected a gradient at the outputs, found none")
            expect_finite(outputs.grad, "the gradient at the outputs")
            expect(outputs.grad.any(dim=1).all(), "expected a gradient in every row, found a row of zeros")

    def influence(self) -> None:
        """Remove every other label of a second task."""
        targets = torch.stack([self.made.targets, self.made.targets], dim=1)
        there = torch.ones(len(targets), 2, dtype=torch.bool)
        there[::2, 1] = False
        targets[~there] = float("nan") if targets.is_floating_point() else MISSING
        found = self.made.space.observed(targets)
        same = found.shape == there.shape and torch.equal(found, there)
        expect(
            same, f"expected `observed` to find the labels {there.tolist()} of two tasks, found {found.tolist()}"
        )
        expect_unmoved(self.kind.loss, self.kind.outputs, targets, there, self.tolerance)

    def decoding(self) -> None:
        """Decode random outputs, and an empty batch."""
        with left_alone():
            predictions = self.kind.decode(self._outputs())
        count = len(self.made.targets)
        expect(len(predictions) == count, f"expected {count} predictions of {count} rows, found {len(predictions)}")
        expect(not self.kind.decode(self._outputs()[:0]), "expected no prediction for an empty batch, found some")
        for prediction in predictions:
            self._check(prediction)

    def _check(self, prediction: Prediction) -> None:
        self.made.encoded([prediction.label])  # raises an error for a label outside the space
        strange = sorted(set(prediction.probabilities) - set(self.made.space.classes))
        expect(not strange, f"expected probabilities of classes, found probabilities of {strange}")
        wrong = {name: value for name, value in prediction.probabilities.items() if not 0 <= value <= 1}
        expect(not wrong, f"expected probabilities from 0 to 1, found {wrong}")

    def baseline(self) -> None:
        """Decode the baseline's outputs."""
        if self.kind.baseline is None:
            return
        found = [prediction.label for prediction in self.kind.decode(self.kind.baseline_outputs(3))]
        expect(found[0] == found[1] == found[2], f"expected the same prediction for every example, found {found}")

    @cached_property
    def _learned(self) -> torch.Tensor:
        """Outputs `(n, outputs)` that minimize the loss, found by gradient descent."""
        with seeded(0):
            outputs = torch.zeros(len(self.made.targets), self.kind.outputs, requires_grad=True)
            optimizer = torch.optim.Adam([outputs])
            for step in range(300):
                optimizer.param_groups[0]["lr"] = 1 - step / 300
                optimizer.zero_grad()
                self.kind.loss(outputs, self.made.targets).sum().backward()
                optimizer.step()
        return outputs.detach()

    def metrics(self) -> None:
        """Compare the metrics of outputs that minimize the loss with those of the baseline."""
        learned, targets = self._learned, self.made.targets
        for metric in self.kind.metrics:
            figures = []
            for outputs in (learned, self.kind.baseline_outputs(len(targets))):
                measure = metric.build(self.made.space)
                measure.update(*self.kind.for_metrics(outputs, targets))
                figures.append(measure.compute())
            if metric.scalar:
                good, base = (float(figure) for figure in figures)
                better = good >= base if metric.higher_is_better else good <= base
                expect(
                    better or base != base,
                    f"expected '{metric.type}' to be better for outputs of minimal loss ({good:.4g}) than for "
                    f"the baseline ({base:.4g})",
                )

    def agreement(self) -> None:
        """Decode outputs that minimize the loss."""
        labels = [prediction.label for prediction in self.kind.decode(self._learned)]
        found = self.made.encoded(labels)
        if not found.is_floating_point():
            expect(
                torch.equal(found.long(), self.made.targets.long()),
                f"expected outputs that minimize the loss to be decoded as the labels, found {labels}",
            )
            return
        expect_close(found, self.made.targets, 0.05, "labels decoded from outputs that minimize the loss, encoded")
