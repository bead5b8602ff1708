"""Checks of an encoder's fitted state."""

import json

import torch
from safetensors.torch import load, save

from mtl_core.errors import MtlError
from mtl_core.testing.encoding import Encoding
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.randomness import left_alone, seeded
from mtl_core.testing.tensors import expect_rows


class EncoderState:
    """Checks of fitting, saving and restoring.

    Args:
        made: The encoder and its sample inputs.
        tolerance: Tolerance for numbers that should be equal.
    """

    def __init__(self, made: Encoding, tolerance: float) -> None:
        self.made, self.tolerance = made, tolerance

    def refuses(self) -> None:
        """Parse an object that is not an input."""
        try:
            self.made.spec.build().parse([self.made.inputs[0], object()])
        except MtlError:
            return
        fail("expected an MtlError for an input of an unknown type, found it parsed")

    def repeats(self) -> None:
        """Parse, fit, encode and collate twice."""
        with seeded(0):
            with left_alone():
                encoder = self.made.fitted()
                encoder.collate(self.made.items(encoder))
            torch.manual_seed(5)
            expect(
                self.made.fitted().state() == encoder.state(),
                "expected the same state after a second fit, found another",
            )

    def one_pass(self) -> None:
        """Fit on a generator, and on a list."""
        with seeded(0):
            once, often = self.made.spec.build(), self.made.spec.build()
            once.fit(parsed for parsed in once.parse(self.made.inputs))
            often.fit(often.parse(self.made.inputs))
            expect(once.state() == often.state(), "expected the same state from a list and from an iterator")

    def state(self) -> None:
        """Restore a second encoder, load the input layer's weights, and compare."""
        with seeded(0), torch.no_grad():
            first, second = self.made.fitted(), self.made.spec.build()
            second.restore(json.loads(json.dumps(first.state())))
            expect(second.state() == first.state(), "expected the restored state, found another")
            layer, other = self.made.layer(first, 0), self.made.layer(second, 1)
            tensors = {name: value.contiguous().clone() for name, value in layer.state_dict().items()}
            other.load_state_dict(load(save(tensors)))
            known = self.made.rows(first, layer, self.made.items(first))
            expect_rows(self.made.rows(second, other, self.made.items(second)), known, 0, "after restoring")
            strange = [encoder.encode(encoder.parse(self.made.others)) for encoder in (first, second)]
            expected = self.made.rows(first, layer, strange[0])
            expect_rows(self.made.rows(second, other, strange[1]), expected, 0, "an unseen input, after restoring")

    def release(self) -> None:
        """Compare features before and after `release`."""
        with seeded(0), torch.no_grad():
            encoder = self.made.fitted()
            layer, items = self.made.layer(encoder), self.made.items(encoder)
            expected = self.made.rows(encoder, layer, items)
            encoder.release()
            expect_rows(self.made.rows(encoder, layer, items), expected, 0, "items, after `release`")
            again = self.made.items(encoder)
            expect_rows(self.made.rows(encoder, layer, again), expected, self.tolerance, "encoded after `release`")
