"""The names of tokens: which word each is, and its place in the vocabulary."""

import torch

from mtl_core.testing.encoding import Encoding
from mtl_core.testing.expectations import expect
from mtl_core.testing.randomness import seeded
from mtl_core.testing.tensors import expect_tensor


class EncoderWords:
    """Words, tokens and ids.

    Args:
        made: The encoder and its inputs.
    """

    def __init__(self, made: Encoding) -> None:
        self.made = made
        self.has_words = self.has_vocabulary = True
        try:
            with seeded(0):
                encoder = made.known
                self.has_words = any(encoder.words(parsed) for parsed in encoder.parse(made.inputs))
                self.has_vocabulary = len(encoder.vocabulary) > 0
        except Exception:  # noqa: BLE001  the checks will meet it again, and say it
            return

    def words(self) -> None:
        """Compare names with tokens, and places with words."""
        encoder = self.made.known
        values = [*self.made.inputs, *self.made.others]
        parsed = encoder.parse(values)
        for value, one, item in zip(values, parsed, encoder.encode(parsed), strict=True):
            words, places, tokens = encoder.words(one), encoder.places(one), encoder.tokens(one)
            length, pieces = encoder.length(item), encoder.pieces(one)
            if pieces is None:
                said = f"expected {length} tokens of {value!r}, as `length` says, found {tokens}"
                expect(len(tokens) == length, said)
            else:
                said = f"expected {length} pieces of {value!r}, as `length` says, found {list(pieces)}"
                expect(len(pieces) == length, said)
                said = f"expected rising pieces of all {len(tokens)} tokens of {value!r}, found {list(pieces)}"
                expect(sorted(pieces) == list(pieces) and set(pieces) == set(range(len(tokens))), said)
            inside = places == sorted(set(places)) and all(0 <= place < len(words) for place in places)
            expect(inside, f"expected rising places among {len(words)} words of {value!r}, found {places}")
            if places:
                named = [words[place] for place in places]
                expect(tokens == named, f"expected the tokens {named} of {value!r}, as places say, found {tokens}")
            if isinstance(value, tuple):
                expect(words == list(value), f"expected the words that were given, {list(value)}, found {words}")

    def ids(self) -> None:
        """Look the ids of a batch up in the vocabulary."""
        with seeded(0):
            encoder = self.made.known
            features = self.made.read(encoder, self.made.layer(encoder), self.made.items(encoder))
            ids = encoder.token_ids(encoder.collate(self.made.items(encoder)))
        mask = features.mask
        if mask is None:
            raise AssertionError("expected tokens, since there is a vocabulary, found one vector an example")
        expect_tensor(ids, tuple(mask.shape), "the ids: (batch, length)", torch.int64)
        known = len(encoder.vocabulary)
        expect(bool(((ids >= -1) & (ids < known)).all()), f"expected ids from -1 to {known - 1}, found others")
        expect(bool((ids[~mask] == -1).all()), "expected -1 at padding, found an id")
        expect(
            bool((ids[mask] >= 0).any()), "expected known tokens in the inputs that it was fitted on, found none"
        )
        expect(len(set(encoder.vocabulary)) == known, "expected distinct names in the vocabulary, found one twice")

    def hide(self) -> None:
        """Hide two tokens of an input, and look at ids and features."""
        with seeded(0), torch.no_grad():
            encoder = self.made.known
            layer, items = self.made.layer(encoder), self.made.items(encoder)
            inputs = encoder.collate(items)
            ids = encoder.token_ids(inputs)
            row, first, second = _two_of_a_row(ids)
            hidden = torch.zeros(ids.shape, dtype=torch.bool)
            hidden[row, [first, second]] = True
            found = encoder.token_ids(encoder.hide(inputs, hidden))
            expect(bool((found[hidden] == -1).all()), "expected hidden tokens to have no id, found one that has")
            expect(
                torch.equal(found[~hidden], ids[~hidden]), "expected the other tokens to stay, found them changed"
            )
            expect(torch.equal(encoder.token_ids(inputs), ids), "expected the batch itself to stay as it was")
            before, after = layer(inputs), layer(encoder.hide(inputs, hidden))
            for place in (first, second):
                same = torch.equal(before.values[row, place], after.values[row, place])
                expect(
                    not same,
                    f"expected the network to see something else in place of token {place}, found the same",
                )
            expect(torch.equal(before.mask, after.mask), "expected as many tokens as before, found others")


def _two_of_a_row(ids: torch.Tensor) -> tuple[int, int, int]:
    """An example and two different known tokens of it."""
    for row, tokens in enumerate(ids.tolist()):
        known = [place for place, token in enumerate(tokens) if token >= 0]
        for place in known[1:]:
            if tokens[place] != tokens[known[0]]:
                return row, known[0], place
    raise AssertionError("expected an input with two different known tokens, found none")
