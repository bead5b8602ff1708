"""Checks of a task kind's label space."""

import json

import torch

from mtl_core.errors import MtlError
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.kind_fixture import KindFixture
from mtl_core.testing.tensors import expect_close


class LabelSpaceChecks:
    """Checks of the label space that a kind builds from sample labels.

    Args:
        fixture: The kind with its sample labels.
    """

    def __init__(self, fixture: KindFixture) -> None:
        self.fixture = fixture

    def check_state(self) -> None:
        """Save the label space as JSON and restore it."""
        space = self.fixture.space
        restored = self.fixture.spec.restore_space(json.loads(json.dumps(space.state())))
        expect(
            list(restored.classes) == list(space.classes),
            f"expected the classes {list(space.classes)} after restoring, found {list(restored.classes)}",
        )
        if self.fixture.sample is not None:
            labels = [*self.fixture.sample.encodable_labels, None]
            encoded = torch.from_numpy(restored.encode(labels, ["somewhere"] * len(labels)))
            expect_close(
                encoded.nan_to_num(9), self.fixture.encode(labels).nan_to_num(9), 0, "encoded after restoring"
            )

    def check_missing_labels(self) -> None:
        """Encode None and labels."""
        expect(
            self.fixture.compute_label_mask(self.fixture.targets).all(),
            "expected every label to be observed, found one that is missing",
        )
        if self.fixture.sample is None:
            return
        encoded = self.fixture.encode([None, self.fixture.sample.encodable_labels[0], None])
        expect(len(encoded) == 3, f"expected 3 targets of 3 labels, found {len(encoded)}")
        expect(
            self.fixture.compute_label_mask(encoded).tolist() == [False, True, False],
            f"expected None to be encoded as missing, found {encoded.tolist()} of [None, a label, None]",
        )

    def check_out_of_space_label(self) -> None:
        """Encode a label outside the space."""
        sample = self.fixture.sample
        assert sample is not None  # noqa: S101  skipped otherwise
        try:
            self.fixture.space.encode(
                [sample.encodable_labels[0], sample.out_of_space_label], ["somewhere:1", "somewhere:2"]
            )
        except MtlError as error:
            expect(
                "somewhere:2" in str(error), f"expected a message with the location of the label, found: {error}"
            )
            return
        fail(f"expected the label {sample.out_of_space_label!r} to be refused by an MtlError, found it encoded")
