"""Random projection of gradients to a fixed size."""

import torch

SKETCH_SIZE = 4096
"""Maximum number of numbers of a gradient; larger gradients are projected to this many."""


class GradientSketch:
    """A count sketch: each number of a vector is added to one random position, with a random sign.

    Expected dot products are those of the vectors. The standard deviation of a dot product is at most the product of
    both norms, times `sqrt(2 / SKETCH_SIZE)`. Vectors that are small enough stay as they are.

    Args:
        n_numbers: The size of the vectors.
        device: The device of the vectors.
        seed: The seed of positions and signs.

    Reference: M. Charikar, K. Chen, M. Farach-Colton: Finding Frequent Items in Data Streams. Theoretical Computer
    Science 312(1), 2004.
    """

    def __init__(self, n_numbers: int, device: torch.device, seed: int) -> None:
        self.size = min(n_numbers, SKETCH_SIZE)
        self._is_needed = n_numbers > SKETCH_SIZE
        if self._is_needed:
            generator = torch.Generator().manual_seed(seed)
            self._positions = torch.randint(SKETCH_SIZE, (n_numbers,), generator=generator).to(device)
            self._signs = (torch.randint(2, (n_numbers,), generator=generator) * 2.0 - 1.0).to(device)

    def project(self, vectors: torch.Tensor) -> torch.Tensor:
        """Project `(vectors, numbers)` to `(vectors, size)`."""
        if not self._is_needed:
            return vectors
        return vectors.new_zeros((len(vectors), self.size)).index_add_(1, self._positions, vectors * self._signs)
