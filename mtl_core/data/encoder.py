"""Base class of encoders: parse, fit, encode, collate, embed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mtl_core.errors import MtlError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import nn

Parsed = TypeVar("Parsed")
"""A parsed input, independent of all other inputs: tokens, an array."""
Item = TypeVar("Item")
"""An encoded input as compact numbers, ready for `collate`."""


class Encoder(ABC, Generic[Parsed, Item]):
    """Converts inputs to items and items to batches, and builds the input layer that reads batches.

    Call order: `parse` (each distinct input once), `fit` (training inputs only), `encode`, `collate`.
    A fitted encoder is rebuilt with `restore(state())`.
    """

    @abstractmethod
    def parse(self, inputs: Sequence[Any]) -> Sequence[Parsed]:
        """Parse inputs, each independently of the others.

        Raises:
            MtlError: If an input is not of the type that this encoder supports.
        """

    def is_empty(self, parsed: Parsed) -> bool:
        """Return whether a parsed input is empty, so that it cannot be used for training."""
        return False

    @abstractmethod
    def fit(self, parsed: Iterable[Parsed]) -> None:
        """Fit the encoder to the training inputs in a single pass: a vocabulary, a scale."""

    @abstractmethod
    def encode(self, parsed: Sequence[Parsed]) -> Sequence[Item]:
        """Encode parsed inputs as items."""

    def length(self, item: Item) -> int:
        """Return the length of an item; batches contain items of similar length."""
        return 1

    @abstractmethod
    def collate(self, items: Sequence[Item]) -> Any:
        """Collate items into a batch for the input layer. The batch must have a method `to(device)`."""

    def prefetch(self, items: Sequence[Item]) -> None:
        """Start to load the items of a coming batch in the background; `collate` waits for what is missing.

        For encoders whose items stay on disk. It draws no random numbers, and a batch is the same without it.
        """
        return

    def augment(self, inputs: Any) -> tuple[Any, torch.Tensor | None]:
        """Augment a batch at random; by default, return it unchanged. Called for training batches only.

        All random draws come from torch's global generator, whose state is part of a checkpoint: a resumed run draws
        the same augmentations.

        Args:
            inputs: The batch that `collate` returned; it may be changed in place.

        Returns:
            The augmented batch, and where its pixels come from, which labels per pixel follow: `(batch, pixels)`,
            int64, the index of the source pixel, row by row; -1 for a pixel from outside the image, whose labels are
            missing. None if no pixel has moved.
        """
        return inputs, None

    def thumbnail(self, parsed: Parsed) -> NDArray[np.uint8] | None:
        """Return an input as a picture for reports, `(height, width, 1 or 3)`; None (the default) if it is no image."""
        return None

    @abstractmethod
    def input_layer(self) -> nn.Module:
        """Build the module from a batch of inputs to `Features`; its attribute `output` is a `FeatureShape`.

        Called once per network, after `fit` or `restore`.
        """

    def unload(self) -> None:
        """Free large resources. Called before training; the encoder reloads them when it needs them again."""

    @property
    def image_size(self) -> tuple[int, int] | None:
        """(height, width) of the images that the network reads; None if inputs are no images of one size.

        Available after `fit`. Tasks with labels per pixel need it: their masks have this size.
        """
        return None

    def words(self, parsed: Parsed) -> list[str]:
        """Return the words of an input as written, before truncation; labels per token refer to these words."""
        return []

    def token_to_word(self, parsed: Parsed) -> list[int]:
        """Return, for each token that the network reads, its index in the input's `words`."""
        return list(range(len(self.words(parsed))))

    def tokens(self, parsed: Parsed) -> list[str]:
        """Return the tokens that the network reads, as written; attention weights refer to these tokens."""
        words = self.words(parsed)
        return [words[index] for index in self.token_to_word(parsed)]

    def subword_to_token(self, parsed: Parsed) -> Sequence[int] | None:
        """Return, for each subword that the network reads, the index of its token; non-decreasing, without gaps.

        With subwords, `length`, `collate`, `token_ids` and `mask_tokens` refer to subwords. The first subword of
        a token carries its label, and the attention weight of a token is the sum over its subwords.

        Returns:
            One token index per subword, or None (the default) if every token is one subword.
        """
        return None

    @property
    def vocabulary(self) -> Sequence[str]:
        """Tokens by id, most frequent first; empty if inputs are not tokens. Available after `fit`."""
        return ()

    def token_ids(self, inputs: Any) -> torch.Tensor:
        """Return indices into `vocabulary` for a collated batch, `(batch, length)`, int64; -1 for no entry.

        Raises:
            MtlError: If inputs are not tokens.
        """
        raise MtlError(f"a task that predicts its input needs a token encoder; {type(self).__name__} has no tokens")

    def mask_tokens(self, inputs: Any, token_mask: torch.Tensor) -> Any:
        """Return a copy of the batch in which some tokens are masked.

        Args:
            inputs: The batch that `collate` returned.
            token_mask: `(batch, length)`, bool: the tokens to mask.

        Raises:
            MtlError: If inputs are not tokens.
        """
        raise MtlError(f"a task that masks tokens needs a token encoder; {type(self).__name__} has no tokens")

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return the fitted state as a JSON-serialisable dict."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Load the fitted state of another encoder with the same spec."""
