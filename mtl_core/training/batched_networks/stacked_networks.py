"""Networks of the same form, computed as one: parameters are stacked by network."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import nn

from mtl_core.errors import MtlError
from mtl_core.nn.network import MultiTaskNetwork
from mtl_core.training.batched_networks.dropout_masks import DropoutSite, MaskedDropout
from mtl_core.training.batched_networks.input_readers import Tensors, build_input_reader


class StackedNetworks:
    """Networks with one task each, whose initial weights are equal.

    A reader computes the input layer. The layers above are one module that `torch.vmap` computes for all networks:
    products of matrices become batched products (`torch.bmm`).

    Args:
        network: One of the networks, with its initial weights.
        n_networks: Number of networks.

    Raises:
        MtlError: If such networks cannot be stacked.
    """

    def __init__(self, network: MultiTaskNetwork, n_networks: int) -> None:
        if len(network.groups) != 1:
            raise MtlError("the network has several tasks")
        if network.trunk.regularization_loss() is not None:
            raise MtlError("the architecture has a regularization loss")
        trained = {name: weight.detach() for name, weight in network.named_parameters() if weight.requires_grad}
        self._stacked: Tensors = {name: _repeat(weight, n_networks) for name, weight in trained.items()}
        self._shared = {name: value for name, value in network.state_dict().items() if name not in trained}
        self._template = deepcopy(network)
        self._reader = build_input_reader(self._template)
        self._template.trunk.input_layer = self._reader.module
        for name, module in list(self._template.named_modules()):
            if isinstance(module, nn.Dropout):
                _replace_module(self._template, name, MaskedDropout(module.p) if module.p > 0 else nn.Identity())
        self._template_names = {name for name, _ in self._template.named_parameters()}
        self._wrapper = _TensorNetwork(self._template)
        self.parameters = [
            {name: nn.Parameter(stacked[index]) for name, stacked in self._stacked.items()}
            for index in range(n_networks)
        ]
        """The parameters of each network: views of the stacked ones, for the optimizer."""
        self.live = list(range(n_networks))
        """The networks that are still trained; the others have left the stack."""
        self._best: Tensors = {name: stacked.clone() for name, stacked in self._stacked.items()}

    def count_parameters(self) -> int:
        """Return the number of trained parameters of each network."""
        return sum(stacked[0].numel() for stacked in self._stacked.values())

    @property
    def device(self) -> torch.device:
        """The device of the networks."""
        return next(iter(self._stacked.values())).device

    def train(self, mode: bool = True) -> None:
        """Set the training mode."""
        self._template.train(mode)

    def read(self, inputs: Any, weights: Tensors, rows: torch.Tensor | None, is_read: torch.Tensor) -> torch.Tensor:
        """Return what each network reads of a batch, for `forward`; see `InputReader.read`."""
        return self._reader.read(inputs, weights, rows, is_read)

    def find_dropout_sites(self, inputs: Any) -> list[DropoutSite]:
        """Return all applications of dropout with a probability above 0, in the order of the forward pass.

        Args:
            inputs: A batch of two examples.

        Raises:
            MtlError: If dropout is applied to something else than one vector per example.
        """
        sites: list[DropoutSite] = []

        def record(name: str, module: MaskedDropout, values: torch.Tensor) -> None:
            if values.ndim != 2 or len(values) != 2 or any(site.name == name for site in sites):
                raise MtlError(f"the dropout '{name}' is applied to a tensor of shape {tuple(values.shape)}")
            sites.append(DropoutSite(name, module.p, values.shape[1]))

        modules = {name: module for name, module in self._template.named_modules() if isinstance(module, MaskedDropout)}
        hooks = [
            module.register_forward_pre_hook(lambda called, args, name=name: record(name, called, args[0]))
            for name, module in modules.items()
        ]
        try:
            with torch.no_grad():
                values = self.read(inputs, self._select_first(), None, torch.ones(1, 2, dtype=torch.bool))
                self._wrapper(values if values.ndim == 2 else values[0])
        finally:
            for hook in hooks:
                hook.remove()
        return sites

    def _select_first(self) -> Tensors:
        return {name: stacked[:1] for name, stacked in self._stacked.items()}

    def select_weights(self, networks: Sequence[int]) -> Tensors:
        """Return the stacked weights of some live networks, which require gradients.

        Args:
            networks: Indices into `live`, sorted.
        """
        if len(networks) == len(self.live):
            return {name: stacked.detach().requires_grad_() for name, stacked in self._stacked.items()}
        # A copy: the gradient of some rows of a tensor would have the size of all rows.
        index = torch.tensor(networks, device=self.device)
        return {name: stacked.index_select(0, index).requires_grad_() for name, stacked in self._stacked.items()}

    def forward(
        self, weights: Tensors, features: torch.Tensor, masks: Mapping[str, torch.Tensor] | None = None
    ) -> torch.Tensor:
        """Compute the outputs of networks.

        Args:
            weights: Stacked weights of n networks.
            features: The result of `read`: `(batch, width)`, the same for all networks, or `(n, batch, width)`.
            masks: Name of each dropout to its masks `(n, batch, width)`; none in evaluation.

        Returns:
            `(n, batch, outputs)`.
        """
        state = {f"network.{name}": weights[name] for name in self._template_names if name in weights}
        state |= {f"network.{name}.mask": mask for name, mask in (masks or {}).items()}

        def call(state_of_one: Tensors, features_of_one: torch.Tensor) -> torch.Tensor:
            outputs: torch.Tensor = torch.func.functional_call(self._wrapper, state_of_one, (features_of_one,))
            return outputs

        in_dims = (0, None if features.ndim == 2 else 0)
        outputs: torch.Tensor = torch.vmap(call, in_dims=in_dims)(state, features)
        return outputs

    @torch.no_grad()
    def predict(self, inputs: Any, n_examples: int) -> torch.Tensor:
        """Compute the outputs of all live networks in evaluation mode, `(batch, networks, outputs)`.

        Args:
            inputs: The batch that the encoder's `collate` returned.
            n_examples: Number of examples in it.
        """
        self.train(False)
        is_read = torch.ones((len(self.live), n_examples), dtype=torch.bool, device=self.device)
        return self.forward(self._stacked, self.read(inputs, self._stacked, None, is_read)).transpose(0, 1)

    @torch.no_grad()
    def compute_without_dropout(self, inputs: Any, n_examples: int) -> torch.Tensor:
        """Compute the outputs of all live networks in training mode, without dropout, `(networks, batch, outputs)`.

        Args:
            inputs: The batch that the encoder's `collate` returned.
            n_examples: Number of examples in it.
        """
        self.train()
        is_read = torch.ones((len(self.live), n_examples), dtype=torch.bool, device=self.device)
        return self.forward(self._stacked, self.read(inputs, self._stacked, None, is_read))

    def set_gradients(self, networks: Sequence[int], gradients: Tensors) -> None:
        """Set the gradients of some live networks; None for all others, so that no optimizer updates these.

        Args:
            networks: Indices into `live`.
            gradients: Stacked gradients of these networks.
        """
        self.clear_gradients()
        for name, stacked in gradients.items():
            for index, gradient in zip(networks, stacked.unbind(0), strict=True):
                self.parameters[self.live[index]][name].grad = gradient

    def clear_gradients(self) -> None:
        """Set all gradients to None."""
        for index in self.live:
            for parameter in self.parameters[index].values():
                parameter.grad = None

    def find_non_finite(self) -> list[int]:
        """Return the networks with a weight that is not finite."""
        is_finite = torch.stack([stacked.flatten(1).isfinite().all(dim=1) for stacked in self._stacked.values()])
        return [index for index, finite in zip(self.live, is_finite.all(dim=0).tolist(), strict=True) if not finite]

    @torch.no_grad()
    def save_best(self, networks: Sequence[int]) -> None:
        """Store the current weights of some networks as their best ones."""
        for network in networks:
            for name, best in self._best.items():
                best[network] = self.parameters[network][name]

    def remove(self, networks: Sequence[int], optimizer: torch.optim.Optimizer) -> None:
        """Remove networks whose training has ended from the stack and from the optimizer."""
        remaining = [position for position, index in enumerate(self.live) if index not in networks]
        for index in networks:
            for parameter in self.parameters[index].values():
                optimizer.state.pop(parameter, None)
                parameter.data, parameter.grad = torch.empty(0), None
        self.live = [self.live[position] for position in remaining]
        for name in list(self._stacked):
            self._stacked[name] = self._stacked[name][torch.tensor(remaining, dtype=torch.long)]
            for position, index in enumerate(self.live):
                self.parameters[index][name].data = self._stacked[name][position]
        live = {id(parameter) for index in self.live for parameter in self.parameters[index].values()}
        for group in optimizer.param_groups:
            group["params"] = [parameter for parameter in group["params"] if id(parameter) in live]

    def load_best(self) -> None:
        """Load the best weights of all networks, which are live again, to evaluate them."""
        self._stacked = self._best
        self.live = list(range(len(self.parameters)))

    @torch.no_grad()
    def load_stacked(self, weights: Tensors) -> None:
        """Load the trained weights of all networks, as `state_dict` returns them without their prefix.

        Args:
            weights: Name to stacked weights, `(networks, ...)`.

        Raises:
            KeyError: If the weights have other names.
            RuntimeError: If a weight has another shape.
        """
        differing = sorted(weights.keys() ^ self._stacked.keys())
        if differing:
            raise KeyError(differing[0])
        for name, stacked in self._stacked.items():
            if weights[name].shape != stacked.shape:
                raise RuntimeError(f"{name} has the shape {tuple(weights[name].shape)}, not {tuple(stacked.shape)}")
            stacked.copy_(weights[name])

    def state_dict(self) -> Tensors:
        """Return the stacked weights, `(networks, ...)`, and what the networks share: weights that are not trained."""
        return {**{f"networks.{name}": value for name, value in self._stacked.items()}, **self._shared}


class _TensorNetwork(nn.Module):
    """A network with one task that returns a tensor, `(batch, outputs)`."""

    def __init__(self, network: MultiTaskNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Compute the outputs."""
        (output,) = self.network(features)
        outputs: torch.Tensor = output.outputs[:, 0]
        return outputs


def _repeat(weight: torch.Tensor, n_networks: int) -> torch.Tensor:
    return weight.unsqueeze(0).repeat(n_networks, *[1] * weight.ndim)


def _replace_module(network: nn.Module, name: str, module: nn.Module) -> None:
    parent, _, attribute = name.rpartition(".")
    setattr(network.get_submodule(parent), attribute, module)
