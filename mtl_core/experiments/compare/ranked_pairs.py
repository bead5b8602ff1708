"""Metrics that are the probability of ranking a pair of labels correctly, for which closed forms replace resampling."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_core.evaluation.metric_accumulator import find_definition
from mtl_core.plugins.specs import MetricSpec


@dataclass(frozen=True)
class Ranking:
    """The scores of the labels of a fold.

    Attributes:
        scores: `(labels,)`, float32: the logit of the second class minus that of the first.
        is_positive: `(labels,)`: whether a label is of the second class.
    """

    scores: NDArray[np.float32]
    is_positive: NDArray[np.bool_]


def ranks_pairs(spec: MetricSpec) -> bool:
    """Return whether a metric is the area under the ROC curve; not for a subclass that builds another metric."""
    return spec.ranks_pairs and issubclass(find_definition(spec, "ranks_pairs"), find_definition(spec, "build"))


def build_ranking(outputs: torch.Tensor, targets: torch.Tensor) -> Ranking:
    """Return the ranking of labels.

    Args:
        outputs: `(labels, 2)`: class logits.
        targets: `(labels,)`: codes.
    """
    return Ranking((outputs[:, 1] - outputs[:, 0]).float().numpy(), (targets > 0).numpy())
