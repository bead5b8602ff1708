"""Checks of a task kind's `TaskKind`."""

from functools import cached_property

import torch
from torch import nn

from mtl_core.data.label_space import MISSING
from mtl_core.nn.task_kind import LabelPrediction, TaskKind
from mtl_core.plugins.specs import TaskKindSpec
from mtl_core.testing.checks import expect, fail
from mtl_core.testing.kind_fixture import KindFixture
from mtl_core.testing.loss_masks import expect_mask_invariance
from mtl_core.testing.rng import preserves_rng_state, temporary_seed
from mtl_core.testing.tensors import describe_value, expect_close, expect_finite, expect_tensor


class TaskKindChecks:
    """Checks of the `TaskKind` that a spec builds for sample labels.

    Args:
        fixture: The kind with its sample labels.
        tolerance: Tolerance for numbers that should be equal.
    """

    def __init__(self, fixture: KindFixture, tolerance: float) -> None:
        self.fixture, self.kind, self.tolerance = fixture, fixture.kind, tolerance

    def _draw_outputs(self) -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        return torch.randn(len(self.fixture.targets), self.kind.n_outputs, generator=generator)

    def check_attributes(self) -> None:
        """Check the attributes."""
        kind = self.kind
        expect(isinstance(kind, TaskKind), f"expected a TaskKind, found {describe_value(kind)}")
        expect(
            isinstance(kind.n_outputs, int) and kind.n_outputs > 0,
            f"expected `outputs` > 0, found {kind.n_outputs!r}",
        )
        expect(
            isinstance(kind.loss, nn.Module),
            f"expected `loss` to be a torch module, found {describe_value(kind.loss)}",
        )
        keys = [metric.key() for metric in kind.metrics]
        expect(keys and len(set(keys)) == len(keys), f"expected metrics of different names, found {keys}")
        expect(0 <= kind.mask_ratio < 1, f"expected `mask_ratio` from 0 to 1, found {kind.mask_ratio}")
        if kind.class_weights is not None:
            expect_tensor(kind.class_weights, (len(self.fixture.space.classes),), "the class weights")
        if kind.baseline is not None:
            with preserves_rng_state():
                expect_tensor(
                    kind.build_baseline_outputs(3), (3, kind.n_outputs), "the baseline's outputs of 3 examples"
                )

    def check_no_counts(self) -> None:
        """Build a kind without label counts."""
        kind = self.fixture.spec.build(self.fixture.space, {})
        expect(kind.n_outputs == self.kind.n_outputs, f"expected {self.kind.n_outputs} outputs, found {kind.n_outputs}")
        kind.decode(self._draw_outputs())

    def check_standalone_loss(self) -> None:
        """Compare the loss that the spec builds without data with that of the kind."""
        if type(self.fixture.spec).build_loss is TaskKindSpec.build_loss:
            return
        with temporary_seed(0), preserves_rng_state():
            outputs = self._draw_outputs()
            losses = self.fixture.spec.build_loss()(outputs, self.fixture.targets)
            expected = self.kind.loss(outputs, self.fixture.targets)
            expect_close(losses, expected, self.tolerance, "the losses of `build_loss`")

    def check_rows(self) -> None:
        """Compare the losses of a batch with the loss of each row in a batch of one."""
        with temporary_seed(0), preserves_rng_state():
            outputs = self._draw_outputs().requires_grad_()
            losses = self.kind.loss(outputs, self.fixture.targets)
            expect_tensor(losses, (len(outputs),), "the losses, one per row")
            for row in range(len(outputs)):
                loss = self.kind.loss(outputs[row : row + 1], self.fixture.targets[row : row + 1])
                expect_close(loss[0], losses[row], self.tolerance, f"the loss of row {row + 1} in a batch of one")
            losses.sum().backward()
            if outputs.grad is None:
                fail("expected a gradient at the outputs, found none")
            expect_finite(outputs.grad, "the gradient at the outputs")
            expect(outputs.grad.any(dim=1).all(), "expected a gradient in every row, found a row of zeros")

    def check_missing_labels(self) -> None:
        """Remove every other label of a second task."""
        targets = torch.stack([self.fixture.targets, self.fixture.targets], dim=1)
        label_mask = torch.ones(len(targets), 2, dtype=torch.bool)
        label_mask[::2, 1] = False
        targets[~label_mask] = float("nan") if targets.is_floating_point() else MISSING
        observed = self.fixture.space.compute_label_mask(targets)
        is_same = observed.shape == label_mask.shape and torch.equal(observed, label_mask)
        expect(
            is_same,
            f"expected `compute_label_mask` to find the labels {label_mask.tolist()} of two tasks, "
            f"found {observed.tolist()}",
        )
        expect_mask_invariance(self.kind.loss, self.kind.n_outputs, targets, label_mask, self.tolerance)

    def check_decoding(self) -> None:
        """Decode random outputs, and an empty batch."""
        with preserves_rng_state():
            predictions = self.kind.decode(self._draw_outputs())
        n_rows = len(self.fixture.targets)
        expect(len(predictions) == n_rows, f"expected {n_rows} predictions of {n_rows} rows, found {len(predictions)}")
        expect(not self.kind.decode(self._draw_outputs()[:0]), "expected no prediction for an empty batch, found some")
        for prediction in predictions:
            self._check_prediction(prediction)

    def _check_prediction(self, prediction: LabelPrediction) -> None:
        self.fixture.encode([prediction.label])  # raises an error for a label outside the space
        unknown_classes = sorted(set(prediction.probabilities) - set(self.fixture.space.classes))
        expect(not unknown_classes, f"expected probabilities of classes, found probabilities of {unknown_classes}")
        invalid = {name: value for name, value in prediction.probabilities.items() if not 0 <= value <= 1}
        expect(not invalid, f"expected probabilities from 0 to 1, found {invalid}")

    def check_baseline(self) -> None:
        """Decode the baseline's outputs."""
        if self.kind.baseline is None:
            return
        labels = [prediction.label for prediction in self.kind.decode(self.kind.build_baseline_outputs(3))]
        expect(labels[0] == labels[1] == labels[2], f"expected the same prediction for every example, found {labels}")

    @cached_property
    def _optimal_outputs(self) -> torch.Tensor:
        """Outputs `(n, outputs)` that minimize the loss, found by gradient descent."""
        with temporary_seed(0):
            outputs = torch.zeros(len(self.fixture.targets), self.kind.n_outputs, requires_grad=True)
            optimizer = torch.optim.Adam([outputs])
            for step in range(300):
                optimizer.param_groups[0]["lr"] = 1 - step / 300
                optimizer.zero_grad()
                self.kind.loss(outputs, self.fixture.targets).sum().backward()
                optimizer.step()
        return outputs.detach()

    def check_metrics(self) -> None:
        """Compare the metrics of outputs that minimize the loss with those of the baseline."""
        optimal, targets = self._optimal_outputs, self.fixture.targets
        for metric in self.kind.metrics:
            values = []
            for outputs in (optimal, self.kind.build_baseline_outputs(len(targets))):
                torch_metric = metric.build(self.fixture.space)
                torch_metric.update(*self.kind.prepare_for_metrics(outputs, targets))
                values.append(torch_metric.compute())
            if metric.scalar:
                score, baseline_score = (float(value) for value in values)
                is_better = score >= baseline_score if metric.higher_is_better else score <= baseline_score
                expect(
                    is_better or baseline_score != baseline_score,
                    f"expected '{metric.type}' to be better for outputs of minimal loss ({score:.4g}) than for "
                    f"the baseline ({baseline_score:.4g})",
                )

    def check_agreement(self) -> None:
        """Decode outputs that minimize the loss."""
        labels = [prediction.label for prediction in self.kind.decode(self._optimal_outputs)]
        encoded = self.fixture.encode(labels)
        if not encoded.is_floating_point():
            expect(
                torch.equal(encoded.long(), self.fixture.targets.long()),
                f"expected outputs that minimize the loss to be decoded as the labels, found {labels}",
            )
            return
        expect_close(encoded, self.fixture.targets, 0.05, "labels decoded from outputs that minimize the loss, encoded")
