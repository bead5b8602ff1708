"""Checks of optimizers."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch

from mtl_core.plugins.specs import OptimizerSpec
from mtl_core.testing.checks import Checks, expect, fail
from mtl_core.testing.rng import temporary_seed
from mtl_core.testing.spec import spec_checks
from mtl_core.testing.tensors import describe_value, expect_finite
from mtl_core.training.checkpoint import TrainingState, load_checkpoint, save_checkpoint


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
        expect(torch.equal(module.weight, before), "expected no change of a parameter without a gradient, found one")


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
        is_same = torch.equal(module.weight, resumed_module.weight) and torch.equal(module.bias, resumed_module.bias)
        expect(is_same, "expected the same weights after resuming from a checkpoint, found others")
