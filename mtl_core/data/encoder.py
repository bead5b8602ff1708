"""What an encoder does: parse, fit, encode, collate, embed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from mtl_core.errors import MtlError

if TYPE_CHECKING:
    import torch
    from torch import nn

Parsed = TypeVar("Parsed")
"""An input, analysed without knowledge of any other: tokens, an array."""
Item = TypeVar("Item")
"""An input as compact numbers, ready to be put into a batch."""


class Encoder(ABC, Generic[Parsed, Item]):
    """Turns inputs into items, items into batches, and gives the layer that reads batches.

    The order is `parse` (each distinct input once), `fit` (training inputs only), `encode`, `collate`.
    A fitted encoder is rebuilt with `restore(state())`.
    """

    @abstractmethod
    def parse(self, inputs: Sequence[Any]) -> list[Parsed]:
        """Analyse inputs, each by itself.

        Raises:
            MtlError: If an input is not of the type that this encoder reads.
        """

    def is_empty(self, parsed: Parsed) -> bool:
        """Say whether nothing of an input is left to learn from."""
        return False

    @abstractmethod
    def fit(self, parsed: Iterable[Parsed]) -> None:
        """Learn what must be learned from training inputs, read once: a vocabulary, a scale."""

    @abstractmethod
    def encode(self, parsed: Sequence[Parsed]) -> list[Item]:
        """Turn analysed inputs into items."""

    def length(self, item: Item) -> int:
        """How long an item is; batches are made of items of about one length."""
        return 1

    @abstractmethod
    def collate(self, items: Sequence[Item]) -> Any:
        """Put items into a batch of tensors: what the input layer reads. It must have `to(device)`."""

    @abstractmethod
    def input_layer(self) -> nn.Module:
        """Make the module from a batch of inputs to `Features`; its attribute `output` is a `FeatureShape`.

        Called once a network, after `fit` or `restore`.
        """

    def release(self) -> None:
        """Let go of large resources. Called before training; what is needed later must be loaded again."""

    def words(self, parsed: Parsed) -> list[str]:
        """The words of an input as a person wrote them, before any is left out: what labels a token belong to."""
        return []

    def places(self, parsed: Parsed) -> list[int]:
        """For each token that the network reads, which of the input's `words` it is."""
        return list(range(len(self.words(parsed))))

    def tokens(self, parsed: Parsed) -> list[str]:
        """The tokens that the network reads, and that attention weights belong to, as a person wrote them."""
        words = self.words(parsed)
        return [words[place] for place in self.places(parsed)]

    def pieces(self, parsed: Parsed) -> Sequence[int] | None:
        """For each piece that the network reads, which of the `tokens` it belongs to; rising, none left out.

        `length`, `collate`, `token_ids` and `hide` speak of pieces where there are such. The label of a token
        stands at its first piece, and the attention that a token gets is that of its pieces together.

        Returns:
            None, the default, if every token is read in one piece.
        """
        return None

    @property
    def vocabulary(self) -> Sequence[str]:
        """Names of the token ids, frequent ones first; empty if inputs are no tokens. Known after `fit`."""
        return ()

    def token_ids(self, inputs: Any) -> torch.Tensor:
        """Places in `vocabulary`, `(batch, length)`, int64, of a batch that `collate` made; -1 where there is none.

        Raises:
            MtlError: If inputs are no tokens.
        """
        raise MtlError(f"a task that predicts its input needs an encoder of tokens; {type(self).__name__} has none")

    def hide(self, inputs: Any, hidden: torch.Tensor) -> Any:
        """Make the batch again with some tokens hidden from the network.

        Args:
            inputs: What `collate` gave.
            hidden: `(batch, length)`, bool: the tokens to hide.

        Raises:
            MtlError: If inputs are no tokens.
        """
        raise MtlError(f"a task that hides tokens needs an encoder of tokens; {type(self).__name__} has none")

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """What was fitted, as JSON."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what another encoder of the same spec has fitted."""
