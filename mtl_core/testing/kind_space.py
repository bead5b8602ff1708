"""Checks of a task kind's label space."""

import json

import torch

from mtl_core.errors import MtlError
from mtl_core.testing.expectations import expect, fail
from mtl_core.testing.label_trials import MadeKind
from mtl_core.testing.tensors import expect_close


class KindSpace:
    """Checks of the label space that a kind builds from sample labels.

    Args:
        made: The kind with its sample labels.
    """

    def __init__(self, made: MadeKind) -> None:
        self.made = made

    def state(self) -> None:
        """Save the label space as JSON and restore it."""
        space = self.made.space
        again = self.made.spec.restore_space(json.loads(json.dumps(space.state())))
        expect(
            list(again.classes) == list(space.classes),
            f"expected the classes {list(space.classes)} after restoring, found {list(again.classes)}",
        )
        if self.made.trial is not None:
            labels = [*self.made.trial.single, None]
            found = torch.from_numpy(again.encode(labels, ["somewhere"] * len(labels)))
            expect_close(found.nan_to_num(9), self.made.encoded(labels).nan_to_num(9), 0, "encoded after restoring")

    def missing(self) -> None:
        """Encode None and labels."""
        expect(
            self.made.observed(self.made.targets).all(),
            "expected every label to be observed, found one that is missing",
        )
        if self.made.trial is None:
            return
        found = self.made.encoded([None, self.made.trial.single[0], None])
        expect(len(found) == 3, f"expected 3 targets of 3 labels, found {len(found)}")
        expect(
            self.made.observed(found).tolist() == [False, True, False],
            f"expected None to be encoded as missing, found {found.tolist()} of [None, a label, None]",
        )

    def strange(self) -> None:
        """Encode a label outside the space."""
        trial = self.made.trial
        assert trial is not None  # noqa: S101  skipped otherwise
        try:
            self.made.space.encode([trial.single[0], trial.strange], ["somewhere:1", "somewhere:2"])
        except MtlError as error:
            expect(
                "somewhere:2" in str(error), f"expected a message with the location of the label, found: {error}"
            )
            return
        fail(f"expected the label {trial.strange!r} to be refused by an MtlError, found it encoded")
