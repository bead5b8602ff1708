"""Checks of metrics."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torchmetrics

from mtl_core.data.label_space import ClassSpace, LabelSpace, MultiLabelSpace
from mtl_core.specs import MetricSpec
from mtl_core.testing.acceptance import accepted
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect
from mtl_core.testing.labels import sample_labels
from mtl_core.testing.randomness import left_alone
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import expect_close, expect_tensor, shown

RESERVED = re.compile(r"n|correct|majority_.*|.*_n")
"""Keys of `metrics.json` that have another meaning."""
EXAMPLES = 40


def metric_checks(
    spec: MetricSpec, spaces: Sequence[LabelSpace] | None, without: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.metric_checks`."""
    checks = spec_checks(spec)
    checks.add("key", "Its key is in lower case and not reserved.", lambda: _key(spec))
    tried = {variant: sample_labels(variant).space for variant in ("classes", "lists", "numbers")}
    if spaces is not None:
        tried = {_variant(space): space for space in spaces}
    for variant, space in accepted(checks, tried, lambda space: _asked(spec, space), "labels").items():
        metric = _Metric(spec, space, tolerance)
        checks.add("form", "It is a torchmetrics metric; it returns one number, or a matrix.", metric.form, variant)
        checks.add("batches", "Updated in several batches, it returns the same value.", metric.batches, variant)
        checks.add("afresh", "Each built metric starts without state.", metric.afresh, variant)
        checks.add("scored", "`scored` returns one boolean per row: is the row used?", metric.scored, variant)
        if not spec.scalar:
            checks.leave_out(f"sums-{variant}", "its value is not one number")
            checks.leave_out(f"direction-{variant}", "its value is not one number")
            checks.leave_out(f"pooling-{variant}", "its value is not one number")
            continue
        if type(spec).label_sums is MetricSpec.label_sums:
            checks.leave_out(f"sums-{variant}", "it is not computed from sums over labels")
        else:
            checks.add("sums", "Computed from the sums over labels, the value is the same.", metric.sums, variant)
        checks.add(
            "direction",
            "Right outputs score better than wrong ones, in the direction of `higher_is_better`.",
            metric.direction,
            variant,
        )
        if spec.pooled:
            checks.add(
                "pooling", "The weighted mean of two halves is the value of both together.", metric.pooling, variant
            )
        else:
            checks.leave_out(f"pooling-{variant}", "`pooled` is false: tasks are not pooled")
    return checks.without(without)


def _key(spec: MetricSpec) -> None:
    key = spec.key()
    good = isinstance(key, str) and re.fullmatch(r"[a-z][a-z0-9_]*", key)
    expect(good, f"expected lower-case letters, digits and underscores, found {key!r}")
    expect(not RESERVED.fullmatch(key), f"expected an unreserved name, found '{key}', which metrics.json reserves")


def _asked(spec: MetricSpec, space: LabelSpace) -> LabelSpace:
    spec.build(space)
    return space


def _variant(space: LabelSpace) -> str:
    if isinstance(space, MultiLabelSpace):
        return "lists"
    return "classes" if isinstance(space, ClassSpace) else "numbers"


@dataclass(frozen=True)
class _Rows:
    """Outputs and targets in the form that metrics accept."""

    outputs: torch.Tensor
    targets: torch.Tensor

    def chosen(self, rows: torch.Tensor) -> "_Rows":
        return _Rows(self.outputs[rows], self.targets[rows])


def _rows(space: LabelSpace, noise: float, seed: int = 0) -> _Rows:
    """Return targets, and right outputs plus noise; with noise -1 all outputs are wrong."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(EXAMPLES, max(len(space.classes), 1), generator=generator)
    kind = _variant(space)
    if kind == "numbers":
        targets = torch.randn(EXAMPLES, generator=generator)
        return _Rows(-targets if noise < 0 else targets + noise * drawn[:, 0], targets)
    if kind == "lists":
        targets = (torch.rand(drawn.shape, generator=generator) < 0.5).long()
        flipped = torch.rand(drawn.shape, generator=generator) < noise / 4
        return _Rows((1 - targets if noise < 0 else torch.where(flipped, 1 - targets, targets)).float(), targets)
    targets = torch.arange(EXAMPLES) % len(space.classes)
    right = torch.nn.functional.one_hot(targets, len(space.classes)).float()
    return _Rows(-right if noise < 0 else 2 * right + noise * drawn, targets)


class _Metric:
    """A metric for tasks with one label space."""

    def __init__(self, spec: MetricSpec, space: LabelSpace, tolerance: float) -> None:
        self.spec, self.space, self.tolerance = spec, space, tolerance

    def _figure(self, *parts: _Rows) -> torch.Tensor:
        """Compute the metric of one or more batches, from the rows that it uses."""
        metric = self.spec.build(self.space)
        for part in parts:
            rows = self.spec.scored(self.space, part.targets)
            metric.update(part.outputs[rows], part.targets[rows])
        figure: torch.Tensor = metric.compute()
        return figure

    def form(self) -> None:
        with left_alone():
            metric = self.spec.build(self.space)
            expect(
                isinstance(metric, torchmetrics.Metric), f"expected a torchmetrics metric, found {shown(metric)}"
            )
            figure = self._figure(_rows(self.space, 2.0))
        expect(isinstance(figure, torch.Tensor), f"expected a tensor, found {shown(figure)}")
        if self.spec.scalar:
            expect(figure.ndim == 0, f"expected one number, since `scalar` is true, found {shown(figure)}")
        else:
            expect(figure.ndim == 2, f"expected a matrix, since `scalar` is false, found {shown(figure)}")

    def batches(self) -> None:
        rows = _rows(self.space, 2.0)
        whole = self._figure(rows)
        order = torch.randperm(EXAMPLES, generator=torch.Generator().manual_seed(1))
        for pieces in ((order,), (order[:7], order[7:8], order[8:])):
            found = self._figure(*(rows.chosen(piece) for piece in pieces))
            what = f"the value of {len(pieces)} batches in another order"
            expect_close(found, whole, max(self.tolerance, 1e-5), what)

    def afresh(self) -> None:
        rows = _rows(self.space, 2.0)
        first = self._figure(rows)
        self._figure(_rows(self.space, -1))
        expect_close(self._figure(rows), first, 0, "the value of a second metric of the same spec")

    def scored(self) -> None:
        targets = _rows(self.space, 2.0).targets
        with left_alone():
            rows = self.spec.scored(self.space, targets)
        expect_tensor(rows, (len(targets),), "the rows that are scored", torch.bool)
        expect(rows.any(), "expected some rows to be scored, found none")

    def sums(self) -> None:
        rows = _rows(self.space, 2.0)
        kept = rows.chosen(self.spec.scored(self.space, rows.targets))
        with left_alone():
            sums = self.spec.label_sums(self.space, kept.outputs, kept.targets)
        expect(isinstance(sums, torch.Tensor) and sums.ndim == 2, f"expected sums (n, sums), found {shown(sums)}")
        assert sums is not None  # noqa: S101  for mypy
        expect(len(sums) == len(kept.targets), f"expected one row for each of {len(kept.targets)} labels")
        with np.errstate(divide="ignore", invalid="ignore"):
            figure = self.spec.of_sums(sums.double().sum(dim=0).numpy())
        found = torch.as_tensor(np.asarray(figure, dtype=np.float64))
        expect_close(found, self._figure(rows).double(), max(self.tolerance, 1e-5), "the value of the sums")

    def direction(self) -> None:
        right, wrong = (float(self._figure(_rows(self.space, noise))) for noise in (0.0, -1))
        better = right > wrong if self.spec.higher_is_better else right < wrong
        word = "higher" if self.spec.higher_is_better else "lower"
        expect(
            better, f"expected a {word} value for right outputs, found {right:.4g}, and {wrong:.4g} for wrong ones"
        )

    def pooling(self) -> None:
        rows = _rows(self.space, 2.0)
        halves = [rows.chosen(torch.arange(0, 10)), rows.chosen(torch.arange(10, EXAMPLES))]
        counts = [int(self.spec.scored(self.space, half.targets).sum()) for half in halves]
        total = sum(float(self._figure(half)) * count for half, count in zip(halves, counts, strict=True))
        mean = torch.tensor(total / sum(counts))
        hint = "the weighted mean of two halves, since `pooled` is true"
        expect_close(mean, self._figure(rows).to(mean.dtype), 1e-5, hint)
