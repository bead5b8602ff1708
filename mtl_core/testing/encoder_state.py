"""Checks of an encoder's fitted state."""

import json

import torch
from safetensors.torch import load, save

from mtl_core.errors import MtlError
from mtl_core.testing.checks import expect, fail
from mtl_core.testing.encoder_fixture import EncoderFixture
from mtl_core.testing.rng import preserves_rng_state, temporary_seed
from mtl_core.testing.tensors import expect_rows


class EncoderStateChecks:
    """Checks of fitting, saving and restoring.

    Args:
        fixture: The encoder and its sample inputs.
        tolerance: Tolerance for numbers that should be equal.
    """

    def __init__(self, fixture: EncoderFixture, tolerance: float) -> None:
        self.fixture, self.tolerance = fixture, tolerance

    def check_invalid_input(self) -> None:
        """Parse an object that is not an input."""
        try:
            self.fixture.spec.build().parse([self.fixture.inputs[0], object()])
        except MtlError:
            return
        fail("expected an MtlError for an input of an unknown type, found it parsed")

    def check_deterministic(self) -> None:
        """Parse, fit, encode and collate twice."""
        with temporary_seed(0):
            with preserves_rng_state():
                encoder = self.fixture.fit_encoder()
                encoder.collate(self.fixture.encode_inputs(encoder))
            torch.manual_seed(5)
            expect(
                self.fixture.fit_encoder().state() == encoder.state(),
                "expected the same state after a second fit, found another",
            )

    def check_one_pass(self) -> None:
        """Fit on a generator, and on a list."""
        with temporary_seed(0):
            from_iterator, from_list = self.fixture.spec.build(), self.fixture.spec.build()
            from_iterator.fit(parsed for parsed in from_iterator.parse(self.fixture.inputs))
            from_list.fit(from_list.parse(self.fixture.inputs))
            expect(
                from_iterator.state() == from_list.state(),
                "expected the same state from a list and from an iterator",
            )

    def check_state(self) -> None:
        """Restore a second encoder, load the input layer's weights, and compare."""
        with temporary_seed(0), torch.no_grad():
            first, second = self.fixture.fit_encoder(), self.fixture.spec.build()
            second.restore(json.loads(json.dumps(first.state())))
            expect(second.state() == first.state(), "expected the restored state, found another")
            layer, other_layer = self.fixture.build_input_layer(first, 0), self.fixture.build_input_layer(second, 1)
            tensors = {name: value.contiguous().clone() for name, value in layer.state_dict().items()}
            other_layer.load_state_dict(load(save(tensors)))
            expected_rows = self.fixture.compute_item_features(first, layer, self.fixture.encode_inputs(first))
            expect_rows(
                self.fixture.compute_item_features(second, other_layer, self.fixture.encode_inputs(second)),
                expected_rows,
                0,
                "after restoring",
            )
            unseen_items = [encoder.encode(encoder.parse(self.fixture.unseen_inputs)) for encoder in (first, second)]
            expected = self.fixture.compute_item_features(first, layer, unseen_items[0])
            expect_rows(
                self.fixture.compute_item_features(second, other_layer, unseen_items[1]),
                expected,
                0,
                "an unseen input, after restoring",
            )

    def check_unload(self) -> None:
        """Compare features before and after `release`."""
        with temporary_seed(0), torch.no_grad():
            encoder = self.fixture.fit_encoder()
            layer, items = self.fixture.build_input_layer(encoder), self.fixture.encode_inputs(encoder)
            expected = self.fixture.compute_item_features(encoder, layer, items)
            encoder.unload()
            expect_rows(
                self.fixture.compute_item_features(encoder, layer, items), expected, 0, "items, after `release`"
            )
            new_items = self.fixture.encode_inputs(encoder)
            expect_rows(
                self.fixture.compute_item_features(encoder, layer, new_items),
                expected,
                self.tolerance,
                "encoded after `release`",
            )
