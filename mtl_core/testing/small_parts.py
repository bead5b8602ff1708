"""Checks of class weights, schedules and optimizers."""

import math
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch

from mtl_core.specs import ClassWeightsSpec, OptimizerSpec, ScheduleSpec
from mtl_core.testing.checks import Checks
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.randomness import left_alone, seeded
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import expect_finite, shown
from mtl_core.training.checkpoint import Position, load_checkpoint, save_checkpoint


def class_weights_checks(spec: ClassWeightsSpec, counts: Mapping[str, int], without: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.class_weights_checks`."""
    checks = spec_checks(spec)
    checks.add("weights", "It returns one finite weight >= 0 per class.", lambda: _class_weights(spec, counts))
    checks.add("class-order", "Weights do not depend on the order of classes.", lambda: _class_order(spec, counts))
    return checks.without(without)


def _class_weights(spec: ClassWeightsSpec, counts: Mapping[str, int]) -> None:
    first = next(iter(counts))
    for given in (counts, {**counts, first: 0}, dict.fromkeys(counts, 0)):
        with left_alone():
            found = list(spec.weights(given))
        expect(len(found) == len(given), f"expected {len(given)} weights, one per class, found {len(found)}")
        good = all(math.isfinite(weight) and weight >= 0 for weight in found)
        expect(good, f"expected finite weights of 0 or more for the counts {dict(given)}, found {found}")


def _class_order(spec: ClassWeightsSpec, counts: Mapping[str, int]) -> None:
    turned = {name: counts[name] for name in reversed(list(counts))}
    one = dict(zip(counts, spec.weights(counts), strict=True))
    other = dict(zip(turned, spec.weights(turned), strict=True))
    same = all(math.isclose(one[name], other[name]) for name in one)
    expect(same, f"expected the same weights for reversed classes, found {one} and {other}")


def schedule_checks(spec: ScheduleSpec, without: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.schedule_checks`."""
    checks = spec_checks(spec)
    checks.add(
        "factors",
        "It returns a finite factor of 0 or more for every step, in long and short runs.",
        lambda: _factors(spec),
    )
    checks.add("not-idle", "The factor is above 0 at some step.", lambda: _not_idle(spec))
    return checks.without(without)


def _factors(spec: ScheduleSpec) -> None:
    for total in (1, 2, 7, 200):
        with left_alone():
            found = [spec.factor(step, total) for step in range(total)]
        again = [spec.factor(step, total) for step in reversed(range(total))][::-1]
        expect(found == again, f"expected each step's factor to depend only on the step, in a run of {total} steps")
        bad = [factor for factor in found if not (math.isfinite(factor) and factor >= 0)]
        expect(not bad, f"expected finite factors of 0 or more in a run of {total} steps, found {bad}")


def _not_idle(spec: ScheduleSpec) -> None:
    for total in (2, 200):
        expect(
            any(spec.factor(step, total) > 0 for step in range(total)),
            f"expected a factor above 0 in {total} steps",
        )


def optimizer_checks(spec: OptimizerSpec, without: Mapping[str, str]) -> Checks:
    """See `mtl_core.testing.optimizer_checks`."""
    checks = spec_checks(spec)
    checks.add("moves", "Steps reduce the loss; parameters without a gradient do not change.", lambda: _moves(spec))
    checks.add("learning-rate", "A schedule can set its `lr`; at 0 no parameter changes.", lambda: _rate(spec))
    checks.add("resume", "Resumed from a checkpoint, it is equal bit for bit.", lambda: _resume(spec))
    return checks.without(without)


def _problem(spec: OptimizerSpec) -> tuple[torch.nn.Linear, torch.optim.Optimizer]:
    torch.manual_seed(0)
    module = torch.nn.Linear(4, 3)
    optimizer = spec.build(module.parameters())
    if not isinstance(optimizer, torch.optim.Optimizer):
        fail(f"expected a torch optimizer, found {shown(optimizer)}")
    return module, optimizer


def _step(module: torch.nn.Linear, optimizer: torch.optim.Optimizer) -> float:
    inputs = torch.randn(16, 4, generator=torch.Generator().manual_seed(1))
    optimizer.zero_grad()
    loss = (module(inputs) - inputs[:, :3] * 3).square().mean()
    loss.backward()
    optimizer.step()
    return float(loss.detach())


def _moves(spec: OptimizerSpec) -> None:
    with seeded(0):
        module, optimizer = _problem(spec)
        losses = [_step(module, optimizer) for _ in range(50)]
        expect(
            losses[-1] < losses[0],
            f"expected the loss to fall in 50 steps, found {losses[0]:.4g} and {losses[-1]:.4g}",
        )
        module, optimizer = _problem(spec)
        before = module.weight.detach().clone()
        optimizer.step()
        expect(
            torch.equal(module.weight, before), "expected no change of a parameter without a gradient, found one"
        )


def _rate(spec: OptimizerSpec) -> None:
    with seeded(0):
        module, optimizer = _problem(spec)
        _step(module, optimizer)
        for group in optimizer.param_groups:
            expect("lr" in group, "expected every parameter group to have an `lr`, found one without")
            group["lr"] = 0.0
        before = module.weight.detach().clone()
        _step(module, optimizer)
        expect(torch.equal(module.weight, before), "expected no change at a learning rate of 0, found one")


def _resume(spec: OptimizerSpec) -> None:
    with seeded(0), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.safetensors"
        module, optimizer = _problem(spec)
        for _ in range(3):
            _step(module, optimizer)
        save_checkpoint(path, Position(), {"module": module}, optimizer, {})
        other, another = _problem(spec)
        load_checkpoint(path, {"module": other}, another)
        for _ in range(3):
            _step(module, optimizer)
            _step(other, another)
        expect_finite(module.weight, "the weights after 6 steps")
        same = torch.equal(module.weight, other.weight) and torch.equal(module.bias, other.bias)
        expect(same, "expected the same weights after resuming from a checkpoint, found others")
