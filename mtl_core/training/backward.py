"""The backward pass of several losses with a weighting, for custom training loops."""

from collections.abc import Mapping

import torch

from mtl_core.errors import MtlError
from mtl_core.training.declared_tasks import DeclaredTask
from mtl_core.training.graph_gradients import GraphGradients, SharedParameters
from mtl_core.training.named_losses import as_named_losses, check_differentiable, stack_losses
from mtl_core.training.task_weighting import TaskWeighting, overrides_method, resolve_weighting


def backward(
    losses: Mapping[str, torch.Tensor],
    weighting: object = "sum",
    *,
    weights: Mapping[str, float] | None = None,
    shared: SharedParameters | None = None,
    extra_loss: torch.Tensor | None = None,
) -> None:
    """Add the gradients of the losses of several tasks to the `grad` of all parameters.

    It takes the place of `sum(losses.values()).backward()`. Without a loss in the batch, it does nothing.

    Args:
        losses: The losses from `MaskedLosses`, or one scalar per task. A plain dictionary has no label counts: each
            task counts as one label.
        weighting: The weighting: a name (`"pcgrad"`), a spec, or a block with a `type`; or a `TaskWeighting`, which a
            weighting with parameters or other state needs. Random draws depend on torch's global generator, those of a
            `TaskWeighting` on its seed.
        weights: Mapping of task name to a positive weight; by default that of the task, or 1.
        shared: The module that all tasks share, or its parameters, for weightings that balance gradients. By default,
            the parameters that the outputs of two tasks or more depend on, found in the autograd graph.
        extra_loss: A loss without weighting, such as a regularization loss, a scalar.

    Raises:
        MtlError: If the losses are no such dictionary, the weighting is unknown or keeps state between steps, or no
            parameter is shared by two tasks.
        NonFiniteLossError: If a loss is not finite.

    Example:
        >>> layer = torch.nn.Linear(2, 2)
        >>> outputs = layer(torch.ones(3, 2))
        >>> backward({"first": outputs[:, 0].mean(), "second": outputs[:, 1].mean()}, "pcgrad")
        >>> layer.bias.grad
        tensor([1., 1.])
    """
    named_losses = as_named_losses(losses)
    if isinstance(weighting, TaskWeighting):
        if weights is not None:
            raise MtlError("weights: a TaskWeighting has its own; use TaskWeighting(..., weights=...)")
        weighting.backward(named_losses, shared, extra_loss)
        return
    spec = resolve_weighting(weighting)
    tasks = [DeclaredTask(name, None, named_losses.weights[name]) for name in named_losses.tasks]
    task_weighting = TaskWeighting(spec, tasks, weights)
    module = task_weighting.weighting
    if module.state_dict():
        raise MtlError(
            f"the weighting '{spec.type}' keeps state between steps, so build it once before the loop: "
            f'weighting = mtl_core.TaskWeighting("{spec.type}", tasks), then backward(losses, weighting)'
        )
    if overrides_method(module, "on_step_start"):  # other weightings leave the global generator as it is
        task_weighting.seed = int(torch.randint(2**31, ()))
    task_weighting.backward(named_losses, shared, extra_loss)


def compute_task_gradients(
    losses: Mapping[str, torch.Tensor], shared: SharedParameters | None = None
) -> dict[str, torch.Tensor]:
    """Compute the gradient of each loss with respect to the shared parameters; no `grad` changes.

    The graph is kept, so that `backward` can follow.

    Args:
        losses: The losses from `MaskedLosses`, or one scalar per task.
        shared: The module that all tasks share, or its parameters; as in `backward`.

    Returns:
        Task name to its gradient, `(numbers,)`, the concatenated gradients of the shared parameters: in their order in
        `shared`, or from inputs to outputs.

    Raises:
        MtlError: If the losses are no such dictionary, or no parameter is shared by two tasks.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> gradients = compute_task_gradients({"first": weight.sum(), "second": -weight.sum()})
        >>> torch.dot(gradients["first"], gradients["second"])
        tensor(-2.)
    """
    named_losses = as_named_losses(losses)
    if not len(named_losses):
        return {}
    check_differentiable(named_losses)
    gradients = GraphGradients(named_losses, named_losses.tasks, shared)
    if not gradients.shared:
        raise MtlError("no parameter is shared by two tasks; name the shared module, as in shared=model.trunk")
    task_losses = stack_losses(named_losses, named_losses.tasks)
    rows = gradients.jacobian(task_losses.values, gradients.shared, task_losses.tasks)
    return {named_losses.tasks[task]: row for task, row in zip(task_losses.tasks.tolist(), rows, strict=True)}
