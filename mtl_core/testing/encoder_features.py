"""Checks of the features that an encoder's input layer computes from a batch."""

import torch

from mtl_core.nn.features import FeatureShape
from mtl_core.testing.checks import expect, fail
from mtl_core.testing.encoder_fixture import EncoderFixture
from mtl_core.testing.modules import check_gradients
from mtl_core.testing.rng import temporary_seed
from mtl_core.testing.tensors import describe_value, expect_finite, expect_rows, expect_tensor


class EncoderFeatureChecks:
    """Checks of collation and of the input layer.

    Args:
        fixture: The encoder and its sample inputs.
        tolerance: Tolerance for numbers that should be equal.
    """

    def __init__(self, fixture: EncoderFixture, tolerance: float) -> None:
        self.fixture, self.tolerance = fixture, tolerance

    def check_shape(self) -> None:
        """Check the features of a batch."""
        with temporary_seed(0), torch.no_grad():
            encoder = self.fixture.fitted_encoder
            layer, items = self.fixture.build_input_layer(encoder), self.fixture.encode_inputs(encoder)
            expect(
                len(items) == len(self.fixture.inputs),
                f"expected {len(self.fixture.inputs)} items, found {len(items)}",
            )
            output = getattr(layer, "output", None)
            if not isinstance(output, FeatureShape):
                fail(f"expected the input layer's `output` to be a FeatureShape, found {describe_value(output)}")
            features = self.fixture.compute_features(encoder, layer, items)
            lengths = [encoder.length(item) for item in items]
            expect(min(lengths) > 0, f"expected lengths of 1 or more, found {lengths}")
            if output.size is not None:
                shape = (len(items), output.width, *output.size)
                expect_tensor(features.values, shape, "the features, of the size that `output` declares")
                expect_finite(features.values, "the features")
                expect(features.mask is None, "expected no mask, since `output` declares spatial features")
                return
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

    def check_augmentation(self) -> None:
        """Augment a batch twice with the same seed, and check its shape and the sources of its pixels."""
        with temporary_seed(0), torch.no_grad():
            encoder = self.fixture.fitted_encoder
            layer, items = self.fixture.build_input_layer(encoder), self.fixture.encode_inputs(encoder)
            plain = layer(encoder.collate(items).to("cpu"))
            results = []
            for _ in range(2):
                torch.manual_seed(1)
                result = encoder.augment(encoder.collate(items))
                is_pair = isinstance(result, tuple) and len(result) == 2
                expect(is_pair, f"expected a batch and the sources of its pixels, found {describe_value(result)}")
                results.append((layer(result[0].to("cpu")), result[1]))
            (features, pixel_indices), (same_features, _) = results
            expect_tensor(features.values, tuple(plain.values.shape), "the features of the augmented batch")
            expect(
                torch.equal(features.values, same_features.values),
                "expected equal features with the same seed of torch's generator, found others",
            )
            if pixel_indices is not None:
                if encoder.image_size is None:
                    fail("expected no sources of pixels from an encoder without `image_size`, found some")
                n_pixels = encoder.image_size[0] * encoder.image_size[1]
                expect_tensor(pixel_indices, (len(items), n_pixels), "the sources of pixels", torch.int64)
                in_range = (pixel_indices >= -1) & (pixel_indices < n_pixels)
                expect(in_range.all(), f"expected sources of pixels from -1 to {n_pixels - 1}, found others")

    def check_batch_invariance(self) -> None:
        """Compare a batch with batches of one item, and with the reversed batch."""
        with temporary_seed(0), torch.no_grad():
            encoder = self.fixture.fitted_encoder
            layer, items = self.fixture.build_input_layer(encoder), self.fixture.encode_inputs(encoder)
            expected = self.fixture.compute_item_features(encoder, layer, items)
            single_rows = [self.fixture.compute_item_features(encoder, layer, [item])[0] for item in items]
            expect_rows(single_rows, expected, self.tolerance, "in a batch of one")
            reversed_rows = self.fixture.compute_item_features(encoder, layer, items[::-1])[::-1]
            expect_rows(reversed_rows, expected, self.tolerance, "in another order")

    def check_unseen_inputs(self) -> None:
        """Encode inputs that the encoder was not fitted on, in one batch and one by one."""
        with temporary_seed(0), torch.no_grad():
            encoder = self.fixture.fitted_encoder
            layer = self.fixture.build_input_layer(encoder)
            items = encoder.encode(encoder.parse(self.fixture.unseen_inputs))
            unseen_rows = self.fixture.compute_item_features(encoder, layer, items)
            for index, row in enumerate(unseen_rows):
                expect_finite(row, f"the features of unseen input {index + 1}")
                expect(row.numel(), f"expected at least one token of unseen input {index + 1}, found none")
            single_items = [encoder.encode(encoder.parse([value]))[0] for value in self.fixture.unseen_inputs]
            expect_rows(
                self.fixture.compute_item_features(encoder, layer, single_items),
                unseen_rows,
                self.tolerance,
                "parsed separately",
            )

    def check_input_layer_gradients(self) -> None:
        """Backpropagate random gradients into the input layer."""
        with temporary_seed(0):
            encoder = self.fixture.fitted_encoder
            layer = self.fixture.build_input_layer(encoder).train()
            if not any(parameter.requires_grad for parameter in layer.parameters()):
                return
            rows = self.fixture.compute_item_features(encoder, layer, self.fixture.encode_inputs(encoder))
            torch.stack([(row * torch.randn_like(row)).sum() for row in rows]).sum().backward()  # type: ignore[no-untyped-call]
            check_gradients(layer)
