"""Checks of the parameters that a module declares for each task, against the gradients of each task."""

from collections.abc import Sequence

import torch
from torch import nn

from mtl_core.nn.architecture import Architecture
from mtl_core.nn.heads import HeadGroup
from mtl_core.testing.checks import expect

TaskGradients = list[torch.Tensor]
"""The gradient of each task's outputs with respect to one parameter; zeros if the outputs do not depend on it."""


def index_task_parameters(module: HeadGroup | Architecture, n_tasks: int) -> dict[int, int]:
    """Return the id of each parameter of a single task, as `task_parameters` declares them, to the task.

    Raises:
        AssertionError: If `task_parameters` returns parameters of another module.
    """
    task_by_id = {id(p): task for task in range(n_tasks) for p in module.task_parameters(task)}
    foreign_ids = task_by_id.keys() - {id(parameter) for parameter in module.parameters()}
    expect(not foreign_ids, f"expected only parameters of the module, found {len(foreign_ids)} others")
    return task_by_id


def compute_task_gradients(
    task_totals: Sequence[torch.Tensor | None], parameters: Sequence[nn.Parameter]
) -> dict[int, TaskGradients]:
    """Return the gradients of each task's total with respect to each parameter, by the parameter's id.

    Args:
        task_totals: A scalar per task; None if it depends on no parameter.
        parameters: The trainable parameters.
    """
    gradients_by_id: dict[int, TaskGradients] = {id(parameter): [] for parameter in parameters}
    for total in task_totals:
        gradients: Sequence[torch.Tensor | None] = [None] * len(parameters)
        if total is not None:
            gradients = torch.autograd.grad(total, parameters, retain_graph=True, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            gradients_by_id[id(parameter)].append(torch.zeros_like(parameter) if gradient is None else gradient)
    return gradients_by_id


def check_stacked(name: str, gradients: TaskGradients) -> None:
    """Check that each row of a stacked parameter belongs to one task.

    Raises:
        AssertionError: If a task uses the row of another task.
    """
    for task, gradient in enumerate(gradients):
        other_rows = gradient.clone()
        other_rows[task] = 0
        expect(
            not other_rows.any(),
            f"expected task {task} to use only row {task} of the stacked parameter '{name}', found others"
            "; a parameter that tasks share is not stacked",
        )


def check_task_specific(name: str, owner: int, gradients: TaskGradients) -> None:
    """Check that only one task uses a parameter.

    Raises:
        AssertionError: If another task uses it.
    """
    for task, gradient in enumerate(gradients):
        expect(
            task == owner or not gradient.any(),
            f"expected only task {owner} to use the parameter '{name}', as `task_parameters` declares, "
            f"found that the gradient of task {task} reaches it",
        )


def check_shared(name: str, gradients: TaskGradients) -> None:
    """Check that a parameter is not used by a single task.

    Raises:
        AssertionError: If only one task uses it.
    """
    tasks = [task for task, gradient in enumerate(gradients) if gradient.any()]
    expect(
        len(tasks) != 1,
        f"expected `task_parameters({tasks[0] if tasks else 0})` to contain the parameter '{name}', which no "
        "other task uses: the parameters of an idle task must not change",
    )


def check_not_stacked(name: str, gradients: TaskGradients) -> None:
    """Check that a parameter has no row per task.

    Raises:
        AssertionError: If each row belongs to one task.
    """
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
