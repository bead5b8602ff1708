"""Checks of class weights, schedules and optimizers."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch

from mtl_core.plugins.specs import ClassWeightsSpec, OptimizerSpec, ScheduleSpec
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.rng import preserves_rng_state, temporary_seed
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import describe_value, expect_finite
from mtl_core.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint


def class_weights_checks(spec: ClassWeightsSpec, counts: Mapping[str, int], skip: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.class_weights_checks`."""
    checks = spec_checks(spec)
    checks.add(
        "weights", "It returns one finite weight >= 0 per class.", lambda: _check_class_weights(spec, counts)
    )
    checks.add(
        "class-order", "Weights do not depend on the order of classes.", lambda: _check_class_order(spec, counts)
    )
    return checks.skip_checks(skip)


def _check_class_weights(spec: ClassWeightsSpec, counts: Mapping[str, int]) -> None:
    first = next(iter(counts))
    for sample_counts in (counts, {**counts, first: 0}, dict.fromkeys(counts, 0)):
        with preserves_rng_state():
            weights = list(spec.compute_weights(sample_counts))
        expect(
            len(weights) == len(sample_counts),
            f"expected {len(sample_counts)} weights, one per class, found {len(weights)}",
        )
        is_valid = all(math.isfinite(weight) and weight >= 0 for weight in weights)
        expect(
            is_valid, f"expected finite weights of 0 or more for the counts {dict(sample_counts)}, found {weights}"
        )


def _check_class_order(spec: ClassWeightsSpec, counts: Mapping[str, int]) -> None:
    reversed_counts = {name: counts[name] for name in reversed(list(counts))}
    weights = dict(zip(counts, spec.compute_weights(counts), strict=True))
    reversed_weights = dict(zip(reversed_counts, spec.compute_weights(reversed_counts), strict=True))
    is_same = all(math.isclose(weights[name], reversed_weights[name]) for name in weights)
    expect(is_same, f"expected the same weights for reversed classes, found {weights} and {reversed_weights}")


def schedule_checks(spec: ScheduleSpec, skip: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.schedule_checks`."""
    checks = spec_checks(spec)
    checks.add(
        "factors",
        "It returns a finite factor of 0 or more for every step, in long and short runs.",
        lambda: _check_factors(spec),
    )
    checks.add("not-all-zero", "The factor is above 0 at some step.", lambda: _check_not_all_zero(spec))
    return checks.skip_checks(skip)


def _check_factors(spec: ScheduleSpec) -> None:
    for total in (1, 2, 7, 200):
        with preserves_rng_state():
            factors = [spec.compute_factor(step, total) for step in range(total)]
        second_factors = [spec.compute_factor(step, total) for step in reversed(range(total))][::-1]
        expect(
            factors == second_factors,
            f"expected each step's factor to depend only on the step, in a run of {total} steps",
        )
        invalid = [factor for factor in factors if not (math.isfinite(factor) and factor >= 0)]
        expect(not invalid, f"expected finite factors of 0 or more in a run of {total} steps, found {invalid}")


def _check_not_all_zero(spec: ScheduleSpec) -> None:
    for total in (2, 200):
        expect(
            any(spec.compute_factor(step, total) > 0 for step in range(total)),
            f"expected a factor above 0 in {total} steps",
        )


def optimizer_checks(spec: OptimizerSpec, skip: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.optimizer_checks`."""
    checks = spec_checks(spec)
    checks.add(
        "reduces-loss",
        "Steps reduce the loss; parameters without a gradient do not change.",
        lambda: _check_reduces_loss(spec),
    )
    checks.add(
        "learning-rate",
        "A schedule can set its `lr`; at 0 no parameter changes.",
        lambda: _check_learning_rate(spec),
    )
    checks.add("resume", "Resumed from a checkpoint, it is equal bit for bit.", lambda: _check_resume(spec))
    return checks.skip_checks(skip)


def _build_problem(spec: OptimizerSpec) -> tuple[torch.nn.Linear, torch.optim.Optimizer]:
    torch.manual_seed(0)
    module = torch.nn.Linear(4, 3)
    optimizer = spec.build(module.parameters())
    if not isinstance(optimizer, torch.optim.Optimizer):
        fail(f"expected a torch optimizer, found {describe_value(optimizer)}")
    return module, optimizer


def _run_step(module: torch.nn.Linear, optimizer: torch.optim.Optimizer) -> float:
    inputs = torch.randn(16, 4, generator=torch.Generator().manual_seed(1))
    optimizer.zero_grad()
    loss = (module(inputs) - inputs[:, :3] * 3).square().mean()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def _check_reduces_loss(spec: OptimizerSpec) -> None:
    with temporary_seed(0):
        module, optimizer = _build_problem(spec)
        losses = [_run_step(module, optimizer) for _ in range(50)]
        expect(
            losses[-1] < losses[0],
            f"expected the loss to fall in 50 steps, found {losses[0]:.4g} and {losses[-1]:.4g}",
        )
        module, optimizer = _build_problem(spec)
        before = module.weight.detach().clone()
        optimizer.step()
        expect(
            torch.equal(module.weight, before), "expected no change of a parameter without a gradient, found one"
        )


def _check_learning_rate(spec: OptimizerSpec) -> None:
    with temporary_seed(0):
        module, optimizer = _build_problem(spec)
        _run_step(module, optimizer)
        for group in optimizer.param_groups:
            expect("lr" in group, "expected every parameter group to have an `lr`, found one without")
            group["lr"] = 0.0
        before = module.weight.detach().clone()
        _run_step(module, optimizer)
        expect(torch.equal(module.weight, before), "expected no change at a learning rate of 0, found one")


def _check_resume(spec: OptimizerSpec) -> None:
    with temporary_seed(0), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        module, optimizer = _build_problem(spec)
        for _ in range(3):
            _run_step(module, optimizer)
        save_checkpoint(path, TrainingState(), {"module": module}, optimizer, {})
        resumed_module, resumed_optimizer = _build_problem(spec)
        load_checkpoint(path, {"module": resumed_module}, resumed_optimizer)
        for _ in range(3):
            _run_step(module, optimizer)
            _run_step(resumed_module, resumed_optimizer)
        expect_finite(module.weight, "the weights after 6 steps")
        is_same = torch.equal(module.weight, resumed_module.weight) and torch.equal(
            module.bias, resumed_module.bias
        )
        expect(is_same, "expected the same weights after resuming from a checkpoint, found others")
