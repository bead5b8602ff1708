"""Checks of an encoder's tokens: names, word indices and vocabulary ids."""

import torch

from mtl_core.testing.checks import expect
from mtl_core.testing.encoder_fixture import EncoderFixture
from mtl_core.testing.rng import temporary_seed
from mtl_core.testing.tensors import expect_tensor


class EncoderTokenChecks:
    """Checks of words, tokens and ids.

    Args:
        fixture: The encoder and its sample inputs.
    """

    def __init__(self, fixture: EncoderFixture) -> None:
        self.fixture = fixture
        self.has_words = self.has_vocabulary = True
        try:
            with temporary_seed(0):
                encoder = fixture.fitted_encoder
                self.has_words = any(encoder.words(parsed) for parsed in encoder.parse(fixture.inputs))
                self.has_vocabulary = len(encoder.vocabulary) > 0
        except Exception:  # noqa: BLE001  the checks raise it again
            return

    def check_words(self) -> None:
        """Compare token names with words, subwords and word indices."""
        encoder = self.fixture.fitted_encoder
        values = [*self.fixture.inputs, *self.fixture.unseen_inputs]
        parsed = encoder.parse(values)
        for value, parsed_input, item in zip(values, parsed, encoder.encode(parsed), strict=True):
            words, word_indices, tokens = (
                encoder.words(parsed_input),
                encoder.token_to_word(parsed_input),
                encoder.tokens(parsed_input),
            )
            length, subwords = encoder.length(item), encoder.subword_to_token(parsed_input)
            if subwords is None:
                message = f"expected {length} tokens of {value!r}, as `length` returns, found {tokens}"
                expect(len(tokens) == length, message)
            else:
                message = f"expected {length} subwords of {value!r}, as `length` returns, found {list(subwords)}"
                expect(len(subwords) == length, message)
                message = (
                    f"expected ascending subwords of all {len(tokens)} tokens of {value!r}, found {list(subwords)}"
                )
                expect(sorted(subwords) == list(subwords) and set(subwords) == set(range(len(tokens))), message)
            is_valid = word_indices == sorted(set(word_indices)) and all(
                0 <= index < len(words) for index in word_indices
            )
            expect(is_valid, f"expected ascending indices into {len(words)} words of {value!r}, found {word_indices}")
            if word_indices:
                expected_tokens = [words[index] for index in word_indices]
                expect(
                    tokens == expected_tokens,
                    f"expected {expected_tokens} at the indices of {value!r}, found {tokens}",
                )
            if isinstance(value, tuple):
                expect(words == list(value), f"expected the words of the input, {list(value)}, found {words}")

    def check_token_ids(self) -> None:
        """Compare the token ids of a batch with mask and vocabulary."""
        with temporary_seed(0):
            encoder = self.fixture.fitted_encoder
            features = self.fixture.compute_features(
                encoder, self.fixture.build_input_layer(encoder), self.fixture.encode_inputs(encoder)
            )
            ids = encoder.token_ids(encoder.collate(self.fixture.encode_inputs(encoder)))
        mask = features.mask
        if mask is None:
            raise AssertionError("expected tokens, since there is a vocabulary, found one vector per example")
        expect_tensor(ids, tuple(mask.shape), "the ids: (batch, length)", torch.int64)
        vocabulary_size = len(encoder.vocabulary)
        expect(
            bool(((ids >= -1) & (ids < vocabulary_size)).all()),
            f"expected ids from -1 to {vocabulary_size - 1}, found others",
        )
        expect(bool((ids[~mask] == -1).all()), "expected -1 at padding, found an id")
        expect(bool((ids[mask] >= 0).any()), "expected known tokens in the inputs that it was fitted on, found none")
        expect(
            len(set(encoder.vocabulary)) == vocabulary_size,
            "expected distinct names in the vocabulary, found one twice",
        )

    def check_mask_tokens(self) -> None:
        """Mask two tokens of an input, and check ids and features."""
        with temporary_seed(0), torch.no_grad():
            encoder = self.fixture.fitted_encoder
            layer, items = self.fixture.build_input_layer(encoder), self.fixture.encode_inputs(encoder)
            inputs = encoder.collate(items)
            ids = encoder.token_ids(inputs)
            row, first, second = _find_two_tokens(ids)
            token_mask = torch.zeros(ids.shape, dtype=torch.bool)
            token_mask[row, [first, second]] = True
            masked_ids = encoder.token_ids(encoder.mask_tokens(inputs, token_mask))
            expect(
                bool((masked_ids[token_mask] == -1).all()),
                "expected masked tokens to have the id -1, found another",
            )
            expect(
                torch.equal(masked_ids[~token_mask], ids[~token_mask]),
                "expected the other tokens to be unchanged, found others",
            )
            expect(torch.equal(encoder.token_ids(inputs), ids), "expected the batch itself to be unchanged")
            before, after = layer(inputs), layer(encoder.mask_tokens(inputs, token_mask))
            for index in (first, second):
                is_same = torch.equal(before.values[row, index], after.values[row, index])
                expect(
                    not is_same,
                    f"expected other features of the masked token {index}, found the same",
                )
            expect(torch.equal(before.mask, after.mask), "expected as many tokens as before, found another number")


def _find_two_tokens(ids: torch.Tensor) -> tuple[int, int, int]:
    """Return an example's index and the indices of two different in-vocabulary tokens."""
    for row, tokens in enumerate(ids.tolist()):
        known_indices = [index for index, token in enumerate(tokens) if token >= 0]
        for index in known_indices[1:]:
            if tokens[index] != tokens[known_indices[0]]:
                return row, known_indices[0], index
    raise AssertionError("expected an input with two different in-vocabulary tokens, found none")
