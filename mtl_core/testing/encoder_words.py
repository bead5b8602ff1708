"""Checks of an encoder's tokens: names, word indices and vocabulary ids."""

import torch

from mtl_core.testing.encoding import Encoding
from mtl_core.testing.expectations import expect
from mtl_core.testing.randomness import seeded
from mtl_core.testing.tensors import expect_tensor


class EncoderWords:
    """Checks of words, tokens and ids.

    Args:
        made: The encoder and its sample inputs.
    """

    def __init__(self, made: Encoding) -> None:
        self.made = made
        self.has_words = self.has_vocabulary = True
        try:
            with seeded(0):
                encoder = made.known
                self.has_words = any(encoder.words(parsed) for parsed in encoder.parse(made.inputs))
                self.has_vocabulary = len(encoder.vocabulary) > 0
        except Exception:  # noqa: BLE001  the checks raise it again
            return

    def words(self) -> None:
        """Compare token names with words, subwords and word indices."""
        encoder = self.made.known
        values = [*self.made.inputs, *self.made.others]
        parsed = encoder.parse(values)
        for value, one, item in zip(values, parsed, encoder.encode(parsed), strict=True):
            words, places, tokens = encoder.words(one), encoder.places(one), encoder.tokens(one)
            length, pieces = encoder.length(item), encoder.pieces(one)
            if pieces is None:
                said = f"expected {length} tokens of {value!r}, as `length` returns, found {tokens}"
                expect(len(tokens) == length, said)
            else:
                said = f"expected {length} subwords of {value!r}, as `length` returns, found {list(pieces)}"
                expect(len(pieces) == length, said)
                said = f"expected ascending subwords of all {len(tokens)} tokens of {value!r}, found {list(pieces)}"
                expect(sorted(pieces) == list(pieces) and set(pieces) == set(range(len(tokens))), said)
            inside = places == sorted(set(places)) and all(0 <= place < len(words) for place in places)
            expect(inside, f"expected ascending indices into {len(words)} words of {value!r}, found {places}")
            if places:
                named = [words[place] for place in places]
                expect(tokens == named, f"expected {named} at the indices of {value!r}, found {tokens}")
            if isinstance(value, tuple):
                expect(words == list(value), f"expected the words of the input, {list(value)}, found {words}")

    def ids(self) -> None:
        """Compare the token ids of a batch with mask and vocabulary."""
        with seeded(0):
            encoder = self.made.known
            features = self.made.read(encoder, self.made.layer(encoder), self.made.items(encoder))
            ids = encoder.token_ids(encoder.collate(self.made.items(encoder)))
        mask = features.mask
        if mask is None:
            raise AssertionError("expected tokens, since there is a vocabulary, found one vector per example")
        expect_tensor(ids, tuple(mask.shape), "the ids: (batch, length)", torch.int64)
        known = len(encoder.vocabulary)
        expect(bool(((ids >= -1) & (ids < known)).all()), f"expected ids from -1 to {known - 1}, found others")
        expect(bool((ids[~mask] == -1).all()), "expected -1 at padding, found an id")
        expect(
            bool((ids[mask] >= 0).any()), "expected known tokens in the inputs that it was fitted on, found none"
        )
        expect(len(set(encoder.vocabulary)) == known, "expected distinct names in the vocabulary, found one twice")

    def hide(self) -> None:
        """Mask two tokens of an input, and check ids and features."""
        with seeded(0), torch.no_grad():
            encoder = self.made.known
            layer, items = self.made.layer(encoder), self.made.items(encoder)
            inputs = encoder.collate(items)
            ids = encoder.token_ids(inputs)
            row, first, second = _two_of_a_row(ids)
            hidden = torch.zeros(ids.shape, dtype=torch.bool)
            hidden[row, [first, second]] = True
            found = encoder.token_ids(encoder.hide(inputs, hidden))
            expect(bool((found[hidden] == -1).all()), "expected masked tokens to have the id -1, found another")
            expect(
                torch.equal(found[~hidden], ids[~hidden]), "expected the other tokens to be unchanged, found others"
            )
            expect(torch.equal(encoder.token_ids(inputs), ids), "expected the batch itself to be unchanged")
            before, after = layer(inputs), layer(encoder.hide(inputs, hidden))
            for place in (first, second):
                same = torch.equal(before.values[row, place], after.values[row, place])
                expect(
                    not same,
                    f"expected other features of the masked token {place}, found the same",
                )
            expect(torch.equal(before.mask, after.mask), "expected as many tokens as before, found another number")


def _two_of_a_row(ids: torch.Tensor) -> tuple[int, int, int]:
    """Return an example's index and the indices of two different in-vocabulary tokens."""
    for row, tokens in enumerate(ids.tolist()):
        known = [place for place, token in enumerate(tokens) if token >= 0]
        for place in known[1:]:
            if tokens[place] != tokens[known[0]]:
                return row, known[0], place
    raise AssertionError("expected an input with two different in-vocabulary tokens, found none")
