"""Checks of the features that an encoder's input layer computes from a batch."""

import torch

from mtl_core.model.features import FeatureShape
from mtl_core.testing.encoding import Encoding
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.modules import check_gradients
from mtl_core.testing.randomness import seeded
from mtl_core.testing.tensors import expect_finite, expect_rows, expect_tensor, shown


class EncoderFeatures:
    """Checks of collation and of the input layer.

    Args:
        made: The encoder and its sample inputs.
        tolerance: Tolerance for numbers that should be equal.
    """

    def __init__(self, made: Encoding, tolerance: float) -> None:
        self.made, self.tolerance = made, tolerance

    def shape(self) -> None:
        """Check the features of a batch."""
        with seeded(0), torch.no_grad():
            encoder = self.made.known
            layer, items = self.made.layer(encoder), self.made.items(encoder)
            expect(
                len(items) == len(self.made.inputs), f"expected {len(self.made.inputs)} items, found {len(items)}"
            )
            output = getattr(layer, "output", None)
            if not isinstance(output, FeatureShape):
                fail(f"expected the input layer's `output` to be a FeatureShape, found {shown(output)}")
            features = self.made.read(encoder, layer, items)
            lengths = [encoder.length(item) for item in items]
            expect(min(lengths) > 0, f"expected lengths of 1 or more, found {lengths}")
            if not output.sequence:
                expect_tensor(features.values, (len(items), output.width), "the features, one vector per example")
                expect(features.mask is None, "expected no mask, since `output` declares one vector per example")
                return
            if features.mask is None:
                fail("expected a mask, since `output` declares one vector per token, found none")
            length = features.mask.shape[-1]
            expect_tensor(features.mask, (len(items), length), "the mask", torch.bool)
            expect_tensor(features.values, (len(items), length, output.width), "the features, one vector per token")
            expect_finite(features.values, "the features")
            counts = features.mask.sum(dim=1).tolist()
            expect(counts == lengths, f"expected as many tokens as `length` returns, {lengths}, found {counts}")

    def company(self) -> None:
        """Compare a batch with batches of one item, and with the reversed batch."""
        with seeded(0), torch.no_grad():
            encoder = self.made.known
            layer, items = self.made.layer(encoder), self.made.items(encoder)
            expected = self.made.rows(encoder, layer, items)
            alone = [self.made.rows(encoder, layer, [item])[0] for item in items]
            expect_rows(alone, expected, self.tolerance, "in a batch of one")
            turned = self.made.rows(encoder, layer, items[::-1])[::-1]
            expect_rows(turned, expected, self.tolerance, "in another order")

    def unseen(self) -> None:
        """Encode inputs that the encoder was not fitted on, in one batch and one by one."""
        with seeded(0), torch.no_grad():
            encoder = self.made.known
            layer = self.made.layer(encoder)
            items = encoder.encode(encoder.parse(self.made.others))
            found = self.made.rows(encoder, layer, items)
            for place, row in enumerate(found):
                expect_finite(row, f"the features of unseen input {place + 1}")
                expect(row.numel(), f"expected at least one token of unseen input {place + 1}, found none")
            single = [encoder.encode(encoder.parse([value]))[0] for value in self.made.others]
            expect_rows(self.made.rows(encoder, layer, single), found, self.tolerance, "parsed separately")

    def gradients(self) -> None:
        """Backpropagate random gradients into the input layer."""
        with seeded(0):
            encoder = self.made.known
            layer = self.made.layer(encoder).train()
            if not any(parameter.requires_grad for parameter in layer.parameters()):
                return
            rows = self.made.rows(encoder, layer, self.made.items(encoder))
            torch.stack([(row * torch.randn_like(row)).sum() for row in rows]).sum().backward()  # type: ignore[no-untyped-call]
            check_gradients(layer)
