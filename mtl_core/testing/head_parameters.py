"""Checks of the parameters that a head group declares for each task, against the gradients of each task."""

import torch

from mtl_core.nn.heads import HeadGroup
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.modules import ModuleFixture
from mtl_core.testing.rng import temporary_seed
from mtl_core.testing.sample_features import collate_samples

Gradients = list[torch.Tensor]
"""The gradient of each task's outputs with respect to one parameter; zeros if the outputs do not depend on it."""


def check_declared_parameters(fixture: ModuleFixture, tasks: int) -> None:
    """Compare `stacked_parameters` and `task_parameters` with the gradients of each task's outputs."""
    with temporary_seed(0):
        module = fixture.build_module()
        if not isinstance(module, HeadGroup):
            fail(f"expected a HeadGroup, found a {type(module).__name__}")
        names = {id(parameter): name for name, parameter in module.named_parameters()}
        stacked = {id(parameter) for parameter in module.stacked_parameters()}
        task_by_id = {id(p): task for task in range(tasks) for p in module.task_parameters(task)}
        foreign_ids = (stacked | task_by_id.keys()) - names.keys()
        expect(not foreign_ids, f"expected only parameters of the module, found {len(foreign_ids)} others")
        duplicates = sorted(names[parameter_id] for parameter_id in stacked & task_by_id.keys())
        expect(
            not duplicates,
            f"expected each parameter to be declared once, found stacked and task-specific: {duplicates}",
        )
        gradients_by_id = _compute_gradients(fixture, module, tasks)
    for parameter in module.parameters():
        name, task_gradients = names[id(parameter)], gradients_by_id.get(id(parameter))
        if id(parameter) in stacked and (not parameter.ndim or len(parameter) != tasks):
            fail(
                f"expected the stacked parameter '{name}' to have {tasks} rows, one per task, "
                f"found the shape {tuple(parameter.shape)}"
            )
        if task_gradients is None:
            continue
        if id(parameter) in stacked:
            _check_stacked(name, task_gradients)
        elif id(parameter) in task_by_id:
            _check_task_specific(name, task_by_id[id(parameter)], task_gradients)
        else:
            _check_shared(name, task_gradients)


def _compute_gradients(fixture: ModuleFixture, module: HeadGroup, tasks: int) -> dict[int, Gradients]:
    features = collate_samples(fixture.draw_samples(), extra_padding=1)
    outputs = module(features).outputs
    if outputs.ndim == 4 and features.mask is not None:
        outputs = outputs * features.mask.unsqueeze(1).unsqueeze(-1)
    trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
    gradients_by_id: dict[int, Gradients] = {id(parameter): [] for parameter in trainable}
    for task in range(tasks):
        total = (outputs[:, task] * torch.randn_like(outputs[:, task])).sum()
        task_gradients = torch.autograd.grad(total, trainable, retain_graph=True, allow_unused=True)
        for parameter, gradient in zip(trainable, task_gradients, strict=True):
            gradients_by_id[id(parameter)].append(torch.zeros_like(parameter) if gradient is None else gradient)
    return gradients_by_id


def _check_stacked(name: str, gradients: Gradients) -> None:
    for task, gradient in enumerate(gradients):
        other_rows = gradient.clone()
        other_rows[task] = 0
        expect(
            not other_rows.any(),
            f"expected task {task} to use only row {task} of the stacked parameter '{name}', found others"
            "; a parameter that tasks share is not stacked",
        )


def _check_task_specific(name: str, owner: int, gradients: Gradients) -> None:
    for task, gradient in enumerate(gradients):
        expect(
            task == owner or not gradient.any(),
            f"expected only task {owner} to use the parameter '{name}', as `task_parameters` declares, "
            f"found that the gradient of task {task} reaches it",
        )


def _check_shared(name: str, gradients: Gradients) -> None:
    tasks = [task for task, gradient in enumerate(gradients) if gradient.any()]
    expect(
        len(tasks) != 1,
        f"expected `task_parameters({tasks[0] if tasks else 0})` to contain the parameter '{name}', which no "
        "other task uses: the parameters of an idle task must not change",
    )
    rows = [gradient for gradient in gradients if gradient.ndim and len(gradient) == len(gradients)]
    has_row_per_task = len(rows) == len(gradients) > 1 and all(
        gradient[task].any() and not torch.cat([gradient[:task], gradient[task + 1 :]]).any()
        for task, gradient in enumerate(rows)
    )
    expect(
        not has_row_per_task,
        f"expected `stacked_parameters` to contain the parameter '{name}', of which each row belongs to one task: "
        "the rows of an idle task must not change",
    )
