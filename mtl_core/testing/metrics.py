"""Checks of metrics."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torchmetrics

from mtl_core.data.class_space import ClassSpace, MultiLabelSpace
from mtl_core.data.label_space import LabelSpace
from mtl_core.data.number_space import NumberSpace
from mtl_core.evaluation.group_accumulator import GroupAccumulator, supports_groups
from mtl_core.evaluation.metric_accumulator import MetricAccumulator, has_sums
from mtl_core.nn.group_labels import GroupLabels
from mtl_core.plugins.specs import MetricSpec
from mtl_core.testing.checks import Checks, build_accepted, expect
from mtl_core.testing.rng import preserves_rng_state
from mtl_core.testing.sample_labels import create_sample_labels
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import describe_value, expect_close, expect_tensor

RESERVED_KEYS = re.compile(r"n|correct|majority_.*|.*_n")
"""Keys of `metrics.json` that have another meaning."""
EXAMPLES = 40


def metric_checks(
    spec: MetricSpec, spaces: Sequence[LabelSpace] | None, skip: Mapping[str, str], tolerance: float
) -> Checks:
    """See `mtl_core.testing.metric_checks`."""
    checks = spec_checks(spec)
    checks.add("key", "Its key is in lower case and not reserved.", lambda: _check_key(spec))
    candidates = {
        variant: create_sample_labels(variant).space for variant in ("classes", "lists", "numbers", "vectors")
    }
    if spaces is not None:
        candidates = {_name_variant(space): space for space in spaces}
    for variant, space in build_accepted(
        checks, candidates, lambda space: _validate_space(spec, space), "labels"
    ).items():
        metric_tests = _MetricChecks(spec, space, tolerance)
        checks.add(
            "form",
            "It is a torchmetrics metric; it returns one number, or a matrix.",
            metric_tests.check_form,
            variant,
        )
        checks.add(
            "batches", "Updated in several batches, it returns the same value.", metric_tests.check_batches, variant
        )
        checks.add(
            "no-shared-state",
            "Each built metric starts without state.",
            metric_tests.check_no_shared_state,
            variant,
        )
        if not supports_groups(spec):
            checks.skip(f"tasks-{variant}", "it computes each task separately")
        else:
            checks.add(
                "tasks",
                "Computed for several tasks at once, the values are those of one task at a time.",
                metric_tests.check_tasks,
                variant,
            )
        checks.add(
            "scored-rows",
            "`scored` returns one boolean per row: is the row used?",
            metric_tests.check_scored_rows,
            variant,
        )
        if not spec.scalar:
            checks.skip(f"sums-{variant}", "its value is not one number")
            checks.skip(f"direction-{variant}", "its value is not one number")
            checks.skip(f"pooling-{variant}", "its value is not one number")
            continue
        if not has_sums(spec):
            checks.skip(f"sums-{variant}", "it is not computed from sums over labels")
        else:
            checks.add(
                "sums",
                "Computed from the sums over labels, the value is the same.",
                metric_tests.check_sums,
                variant,
            )
        checks.add(
            "direction",
            "Right outputs score better than wrong ones, in the direction of `higher_is_better`.",
            metric_tests.check_direction,
            variant,
        )
        if spec.pooled:
            checks.add(
                "pooling",
                "The weighted mean of two halves is the value of both together.",
                metric_tests.check_pooling,
                variant,
            )
        else:
            checks.skip(f"pooling-{variant}", "`pooled` is false: tasks are not pooled")
    return checks.skip_checks(skip)


def _check_key(spec: MetricSpec) -> None:
    key = spec.key()
    is_valid = isinstance(key, str) and re.fullmatch(r"[a-z][a-z0-9_]*", key)
    expect(is_valid, f"expected lower-case letters, digits and underscores, found {key!r}")
    expect(not RESERVED_KEYS.fullmatch(key), f"expected an unreserved name, found '{key}', which metrics.json reserves")


def _validate_space(spec: MetricSpec, space: LabelSpace) -> LabelSpace:
    spec.build(space)
    return space


def _name_variant(space: LabelSpace) -> str:
    if isinstance(space, MultiLabelSpace):
        return "lists"
    if isinstance(space, ClassSpace):
        return "classes"
    return "vectors" if isinstance(space, NumberSpace) and space.vector else "numbers"


@dataclass(frozen=True)
class _Rows:
    """Outputs and targets in the form that metrics accept."""

    outputs: torch.Tensor
    targets: torch.Tensor

    def select(self, rows: torch.Tensor) -> "_Rows":
        return _Rows(self.outputs[rows], self.targets[rows])


def _draw_rows(space: LabelSpace, noise: float, seed: int = 0) -> _Rows:
    """Return targets, and right outputs plus noise; with noise -1 all outputs are wrong."""
    generator = torch.Generator().manual_seed(seed)
    samples = torch.randn(EXAMPLES, max(len(space.classes), 1), generator=generator)
    kind = _name_variant(space)
    if kind == "vectors" and isinstance(space, NumberSpace):
        targets = torch.randn(EXAMPLES, len(space.mean), generator=generator)
        noisy = targets + noise * torch.randn(targets.shape, generator=generator)
        return _Rows(-targets if noise < 0 else noisy, targets)
    if kind == "numbers":
        targets = torch.randn(EXAMPLES, generator=generator)
        return _Rows(-targets if noise < 0 else targets + noise * samples[:, 0], targets)
    if kind == "lists":
        targets = (torch.rand(samples.shape, generator=generator) < 0.5).long()
        flip_mask = torch.rand(samples.shape, generator=generator) < noise / 4
        return _Rows((1 - targets if noise < 0 else torch.where(flip_mask, 1 - targets, targets)).float(), targets)
    targets = torch.arange(EXAMPLES) % len(space.classes)
    one_hot = torch.nn.functional.one_hot(targets, len(space.classes)).float()
    return _Rows(-one_hot if noise < 0 else 2 * one_hot + noise * samples, targets)


class _MetricChecks:
    """A metric for tasks with one label space."""

    def __init__(self, spec: MetricSpec, space: LabelSpace, tolerance: float) -> None:
        self.spec, self.space, self.tolerance = spec, space, tolerance

    def _compute_value(self, *row_batches: _Rows) -> torch.Tensor:
        """Compute the metric of one or more batches, from the rows that it uses."""
        metric = self.spec.build(self.space)
        for batch in row_batches:
            row_mask = self.spec.select_rows(self.space, batch.targets)
            metric.update(batch.outputs[row_mask], batch.targets[row_mask])
        value: torch.Tensor = metric.compute()
        return value

    def check_form(self) -> None:
        with preserves_rng_state():
            metric = self.spec.build(self.space)
            expect(
                isinstance(metric, torchmetrics.Metric),
                f"expected a torchmetrics metric, found {describe_value(metric)}",
            )
            value = self._compute_value(_draw_rows(self.space, 2.0))
        expect(isinstance(value, torch.Tensor), f"expected a tensor, found {describe_value(value)}")
        if self.spec.scalar:
            expect(value.ndim == 0, f"expected one number, since `scalar` is true, found {describe_value(value)}")
        else:
            expect(value.ndim == 2, f"expected a matrix, since `scalar` is false, found {describe_value(value)}")

    def check_batches(self) -> None:
        rows = _draw_rows(self.space, 2.0)
        expected = self._compute_value(rows)
        order = torch.randperm(EXAMPLES, generator=torch.Generator().manual_seed(1))
        for index_batches in ((order,), (order[:7], order[7:8], order[8:])):
            actual = self._compute_value(*(rows.select(row_indices) for row_indices in index_batches))
            name = f"the value of {len(index_batches)} batches in another order"
            expect_close(actual, expected, max(self.tolerance, 1e-5), name)

    def check_no_shared_state(self) -> None:
        rows = _draw_rows(self.space, 2.0)
        first = self._compute_value(rows)
        self._compute_value(_draw_rows(self.space, -1))
        expect_close(self._compute_value(rows), first, 0, "the value of a second metric of the same spec")

    def check_scored_rows(self) -> None:
        targets = _draw_rows(self.space, 2.0).targets
        with preserves_rng_state():
            row_mask = self.spec.select_rows(self.space, targets)
        expect_tensor(row_mask, (len(targets),), "the rows that are scored", torch.bool)
        expect(row_mask.any(), "expected some rows to be scored, found none")

    def check_tasks(self) -> None:
        rows = _draw_rows(self.space, 2.0)
        scored_rows = rows.select(self.spec.select_rows(self.space, rows.targets))
        n_first = len(scored_rows.targets) // 3
        counts = torch.tensor([n_first, 0, len(scored_rows.targets) - n_first])
        labels = GroupLabels(scored_rows.outputs, scored_rows.targets, counts)
        group = GroupAccumulator(self.spec, [self.space] * len(counts))
        with preserves_rng_state():
            is_supported = group.update(labels)
        expect(is_supported, "expected sums or values of three tasks with equal label spaces, found None")
        values = group.compute()
        for task, (outputs, targets) in enumerate(labels.split_tasks()):
            single = MetricAccumulator(self.spec, self.space)
            if len(targets):
                single.update(outputs, targets)
            expected, actual = (
                torch.tensor(np.asarray(np.nan if value is None else value, dtype=np.float64))
                for value in (single.compute(), values[task])
            )
            expect_close(
                actual.nan_to_num(), expected.nan_to_num(), max(self.tolerance, 1e-9), f"the value of task {task}"
            )

    def check_sums(self) -> None:
        rows = _draw_rows(self.space, 2.0)
        scored_rows = rows.select(self.spec.select_rows(self.space, rows.targets))
        with preserves_rng_state():
            label_sums = self.spec.compute_label_sums(self.space, scored_rows.outputs, scored_rows.targets)
            sums = self.spec.compute_sums(self.space, scored_rows.outputs, scored_rows.targets)
        if type(self.spec).compute_label_sums is not MetricSpec.compute_label_sums:
            expect(
                isinstance(label_sums, torch.Tensor) and label_sums.ndim == 2,
                f"expected sums (n, sums), found {describe_value(label_sums)}",
            )
            assert label_sums is not None  # noqa: S101  for mypy
            n_labels = len(scored_rows.targets)
            expect(len(label_sums) == n_labels, f"expected one row for each of {n_labels} labels")
            total = label_sums.double().sum(dim=0)
            expect_close(torch.as_tensor(sums), total, max(self.tolerance, 1e-5), "the sums of all labels")
        assert sums is not None  # noqa: S101  for mypy
        with np.errstate(divide="ignore", invalid="ignore"):
            value = self.spec.compute_from_sums(sums)
        actual = torch.as_tensor(np.asarray(value, dtype=np.float64))
        expect_close(actual, self._compute_value(rows).double(), max(self.tolerance, 1e-5), "the value of the sums")

    def check_direction(self) -> None:
        right, wrong = (float(self._compute_value(_draw_rows(self.space, noise))) for noise in (0.0, -1))
        is_better = right > wrong if self.spec.higher_is_better else right < wrong
        comparative = "higher" if self.spec.higher_is_better else "lower"
        expect(
            is_better,
            f"expected a {comparative} value for right outputs, found {right:.4g}, and {wrong:.4g} for wrong ones",
        )

    def check_pooling(self) -> None:
        rows = _draw_rows(self.space, 2.0)
        halves = [rows.select(torch.arange(0, 10)), rows.select(torch.arange(10, EXAMPLES))]
        counts = [int(self.spec.select_rows(self.space, half.targets).sum()) for half in halves]
        total = sum(float(self._compute_value(half)) * count for half, count in zip(halves, counts, strict=True))
        mean = torch.tensor(total / sum(counts))
        name = "the weighted mean of two halves, since `pooled` is true"
        expect_close(mean, self._compute_value(rows).to(mean.dtype), 1e-5, name)
