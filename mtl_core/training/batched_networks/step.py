"""One training step of several networks at once."""

import torch

from mtl_core.nn.heads import HeadOutput
from mtl_core.training.batched_networks.dropout_masks import DropoutMasks, DropoutSite
from mtl_core.training.batched_networks.input_readers import Tensors
from mtl_core.training.batched_networks.network_batch import NetworkBatch
from mtl_core.training.batched_networks.stacked_networks import StackedNetworks
from mtl_core.training.losses import TaskLosses
from mtl_core.training.objective import Objective


def step_networks(
    networks: StackedNetworks,
    objective: Objective,
    optimizer: torch.optim.Optimizer,
    batch: NetworkBatch,
    masks: dict[str, torch.Tensor],
    max_grad_norm: float | None,
) -> TaskLosses:
    """Update every network that has a label in the batch.

    The total of all losses is minimised. Each network has its own parameters, so its gradient is that of its own loss.

    Args:
        networks: The networks.
        objective: The losses of the live networks' tasks.
        optimizer: Updates the parameters of all live networks.
        batch: The examples that each network reads.
        masks: Name of each dropout to its masks, see `StackedNetworks.forward`.
        max_grad_norm: Maximum norm of the gradients of each network; None for no clipping.

    Returns:
        The loss of each live network with a label.

    Raises:
        NonFiniteLossError: If a loss is not finite.
    """
    networks.train()
    weights = networks.select_weights(batch.networks)
    features = networks.read(batch.batch.inputs, weights, batch.rows, batch.is_read)
    outputs = networks.forward(weights, features, masks).transpose(0, 1)
    n_live = batch.mask.shape[1]
    if outputs.shape[1] < n_live:
        columns = torch.tensor(batch.networks, device=outputs.device)
        outputs = outputs.new_zeros((len(outputs), n_live, outputs.shape[2])).index_copy(1, columns, outputs)
    losses = objective.compute_task_losses([HeadOutput(outputs)], batch.batch, [batch.mask])
    total = objective.compute_total(losses)
    # Fused optimizers read gradients in the order of memory, which batched products may return transposed.
    computed = [gradient.contiguous() for gradient in torch.autograd.grad(total, list(weights.values()))]
    gradients = dict(zip(weights, computed, strict=True))
    if max_grad_norm is not None:
        _clip_gradients(gradients, max_grad_norm)
    networks.set_gradients(batch.networks, gradients)
    optimizer.step()
    networks.clear_gradients()
    return losses


def draw_masks(
    dropout: DropoutMasks, sites: list[DropoutSite], batch: NetworkBatch, networks: StackedNetworks
) -> dict[str, torch.Tensor]:
    """Draw the dropout masks of a step, by the name of the dropout."""
    if not sites:
        return {}
    live = [networks.live[network] for network in batch.networks]
    mask_groups = dropout.draw(dict(zip(live, batch.n_rows, strict=True)))
    stacked_masks = batch.place_masks(mask_groups, {network: position for position, network in enumerate(live)})
    return {site.name: mask for site, mask in zip(sites, stacked_masks, strict=True)}


def _clip_gradients(gradients: Tensors, max_grad_norm: float) -> None:
    """Clip the gradients of each network, as `torch.nn.utils.clip_grad_norm_` does for one network."""
    squares = [gradient.flatten(1).square().sum(dim=1) for gradient in gradients.values()]
    norms = torch.stack(squares).sum(dim=0).sqrt()
    factors = (max_grad_norm / (norms + 1e-6)).clamp(max=1.0)
    for gradient in gradients.values():
        gradient.mul_(factors.view(-1, *[1] * (gradient.ndim - 1)))
