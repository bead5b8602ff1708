"""Parameters that tensors depend on, found in the autograd graph."""

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import torch

GraphNode = Any
"""A node of the autograd graph, `torch.autograd.graph.Node`."""


def find_leaves(outputs: torch.Tensor) -> dict[int, torch.Tensor]:
    """Return the leaf tensors that an output depends on and that require gradients, by their `id`.

    The graph need not hold its saved tensors any more: this works after the backward pass, too. Leaves are in the order
    of the graph, those nearest to the output first. Leaves within a reentrant `torch.utils.checkpoint` are not found.
    """
    return {id(leaf): leaf for node in _iterate_nodes([outputs]) if (leaf := _get_leaf(node)) is not None}


def find_layer_nearest_to(outputs: Sequence[torch.Tensor], parameters: Collection[int]) -> list[torch.Tensor]:
    """Return the parameters of the operation nearest to outputs that reads one of some parameters.

    Args:
        outputs: The outputs.
        parameters: The `id` of each of the parameters.
    """
    for node in _iterate_nodes(outputs):
        leaves = (_find_input_leaf(successor) for successor, _ in node.next_functions if successor is not None)
        layer = [leaf for leaf in leaves if leaf is not None and id(leaf) in parameters]
        if layer:
            return layer
    return []


def _iterate_nodes(outputs: Sequence[torch.Tensor]) -> Iterator[GraphNode]:
    """Yield the nodes of the graph, breadth first, each once."""
    queue: deque[GraphNode] = deque(_get_root(tensor) for tensor in outputs if tensor.requires_grad)
    visited = set(queue)
    while queue:
        node = queue.popleft()
        yield node
        for successor, _ in node.next_functions:
            if successor is not None and successor not in visited:
                visited.add(successor)
                queue.append(successor)


def _get_root(tensor: torch.Tensor) -> GraphNode:
    if tensor.grad_fn is not None:
        return tensor.grad_fn
    return tensor.view_as(tensor).grad_fn.next_functions[0][0]  # type: ignore[union-attr]  # of a leaf


def _get_leaf(node: GraphNode) -> torch.Tensor | None:
    """Return the tensor that a node accumulates gradients of; None for other nodes."""
    leaf = getattr(node, "variable", None)
    return leaf if isinstance(leaf, torch.Tensor) else None


def _find_input_leaf(node: GraphNode) -> torch.Tensor | None:
    """Return the leaf that an input of an operation is, or is a transposed view or a cast of."""
    while (leaf := _get_leaf(node)) is None:
        if len(node.next_functions) != 1 or node.next_functions[0][0] is None:
            return None
        node = node.next_functions[0][0]
    return leaf
