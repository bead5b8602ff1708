"""A task kind built for sample labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from mtl_core.data.corpus import Label
from mtl_core.data.label_space import LabelSpace, flatten_label
from mtl_core.data.label_statistics import LabelStatistics
from mtl_core.nn.task_kind import TaskKind
from mtl_core.plugins.specs import TaskKindSpec
from mtl_core.testing.sample_labels import TOKEN_IDS, VOCABULARY, LabelSample


@dataclass(frozen=True)
class KindFixture:
    """A task kind built for sample labels.

    Attributes:
        spec: The spec of the kind.
        sample: The labels; None if the kind derives them from the inputs.
        space: The label space.
        kind: The built kind.
        targets: The encoded labels, `(n, ...)`.
    """

    spec: TaskKindSpec
    sample: LabelSample | None
    space: LabelSpace
    kind: TaskKind
    targets: torch.Tensor

    def encode(self, labels: Sequence[Label | None]) -> torch.Tensor:
        """Return encoded labels, `(n, ...)`."""
        return torch.from_numpy(self.space.encode(labels, [f"label {index}" for index in range(len(labels))]))

    def compute_label_mask(self, targets: torch.Tensor) -> torch.Tensor:
        """Return which targets `(n, ...)` are labels, `(n,)`, bool."""
        return self.space.compute_label_mask(targets.unsqueeze(1))[:, 0]


def build_kind_fixture(spec: TaskKindSpec, sample: LabelSample | None) -> KindFixture:
    """Build a kind for sample labels.

    Raises:
        MtlError: If the kind does not accept such labels.
    """
    if sample is None:
        return _build_from_inputs(spec)
    space = spec.build_space(LabelStatistics(sample.labels, sample.labels))
    targets = torch.from_numpy(
        space.encode(sample.encodable_labels, [f"label {index}" for index in range(len(sample.encodable_labels))])
    )
    return KindFixture(spec, sample, space, spec.build(space, _count_labels(sample.encodable_labels, space)), targets)


def _build_from_inputs(spec: TaskKindSpec) -> KindFixture:
    space = spec.build_space(LabelStatistics((), (), vocabulary=VOCABULARY))
    kind = spec.build(space, {})
    token_mask = (torch.arange(TOKEN_IDS.shape[1]) % 2 == 0) & (TOKEN_IDS >= 0) if kind.mask_ratio else None
    targets = kind.build_input_targets(TOKEN_IDS, token_mask)
    flat_targets = targets.flatten(0, 1) if spec.level == "token" else targets
    return KindFixture(spec, None, space, kind, flat_targets[space.compute_label_mask(flat_targets.unsqueeze(1))[:, 0]])


def _count_labels(labels: Sequence[Label], space: LabelSpace) -> Mapping[str, int]:
    return Counter(str(member) for label in labels for member in flatten_label(label)) if space.classes else Counter()
