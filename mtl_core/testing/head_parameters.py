"""Checks of the parameters that a head group declares for each task, against the gradients of each task."""

import torch

from mtl_core.model.heads import HeadGroup
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.modules import Probe
from mtl_core.testing.randomness import seeded
from mtl_core.testing.samples import batched

Gradients = list[torch.Tensor]
"""The gradient of each task's outputs with respect to one parameter; zeros if the outputs do not depend on it."""


def parameters_are_told(probe: Probe, tasks: int) -> None:
    """Compare `stacked_parameters` and `task_parameters` with the gradients of each task's outputs."""
    with seeded(0):
        module = probe.ready()
        if not isinstance(module, HeadGroup):
            fail(f"expected a HeadGroup, found a {type(module).__name__}")
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        stacked = {id(parameter) for parameter in module.stacked_parameters()}
        own = {id(p): task for task in range(tasks) for p in module.task_parameters(task)}
        strange = (stacked | own.keys()) - names.keys()
        expect(not strange, f"expected only parameters of the module, found {len(strange)} others")
        twice = sorted(names[one] for one in stacked & own.keys())
        expect(not twice, f"expected each parameter to be declared once, found stacked and task-specific: {twice}")
        gradients = _gradients(probe, module, tasks)
    for parameter in module.parameters():
        name, found = names[id(parameter)], gradients.get(id(parameter))
        if id(parameter) in stacked and (not parameter.ndim or len(parameter) != tasks):
            fail(
                f"expected the stacked parameter '{name}' to have {tasks} rows, one per task, "
                f"found the shape {tuple(parameter.shape)}"
            )
        if found is None:
            continue
        if id(parameter) in stacked:
            _check_stacked(name, found)
        elif id(parameter) in own:
            _check_own(name, own[id(parameter)], found)
        else:
            _check_shared(name, found)


def _gradients(probe: Probe, module: HeadGroup, tasks: int) -> dict[int, Gradients]:
    features = batched(probe.samples(), more=1)
    outputs = module(features).outputs
    if outputs.ndim == 4 and features.mask is not None:
        outputs = outputs * features.mask.unsqueeze(1).unsqueeze(-1)
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    found: dict[int, Gradients] = {id(parameter): [] for parameter in trained}
    for task in range(tasks):
        total = (outputs[:, task] * torch.randn_like(outputs[:, task])).sum()
        reached = torch.autograd.grad(total, trained, retain_graph=True, allow_unused=True)
        for parameter, gradient in zip(trained, reached, strict=True):
            found[id(parameter)].append(torch.zeros_like(parameter) if gradient is None else gradient)
    return found


def _check_stacked(name: str, found: Gradients) -> None:
    for task, gradient in enumerate(found):
        others = gradient.clone()
        others[task] = 0
        expect(
            not others.any(),
            f"expected task {task} to use only row {task} of the stacked parameter '{name}', found others"
            "; a parameter that tasks share is not stacked",
        )


def _check_own(name: str, owner: int, found: Gradients) -> None:
    for task, gradient in enumerate(found):
        expect(
            task == owner or not gradient.any(),
            f"expected only task {owner} to use the parameter '{name}', as `task_parameters` declares, "
            f"found that the gradient of task {task} reaches it",
        )


def _check_shared(name: str, found: Gradients) -> None:
    reached = [task for task, gradient in enumerate(found) if gradient.any()]
    expect(
        len(reached) != 1,
        f"expected `task_parameters({reached[0] if reached else 0})` to contain the parameter '{name}', which no "
        "other task uses: the parameters of an idle task must not change",
    )
    rows = [gradient for gradient in found if gradient.ndim and len(gradient) == len(found)]
    single = len(rows) == len(found) > 1 and all(
        gradient[task].any() and not torch.cat([gradient[:task], gradient[task + 1 :]]).any()
        for task, gradient in enumerate(rows)
    )
    expect(
        not single,
        f"expected `stacked_parameters` to contain the parameter '{name}', of which each row belongs to one task: "
        "the rows of an idle task must not change",
    )
