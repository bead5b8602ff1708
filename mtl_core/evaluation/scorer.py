"""Compute metrics from outputs and targets under the label mask."""

from collections.abc import Sequence

from mtl_core.data.batches import Examples, RowIndices
from mtl_core.data.task_groups import TaskGroup
from mtl_core.evaluation.group_scorer import GroupScorer
from mtl_core.evaluation.inference import BatchOutputs, run_network
from mtl_core.evaluation.score_pooling import pool_scores
from mtl_core.evaluation.scores import Scores, TaskScore
from mtl_core.nn.device import get_device
from mtl_core.nn.network import MultiTaskNetwork


class Scorer:
    """Computes every metric of every task from batches of outputs, all tasks of a head group at once.

    Args:
        groups: The head groups.
    """

    def __init__(self, groups: Sequence[TaskGroup]) -> None:
        self._groups = groups
        self._scorers = [GroupScorer(group) for group in groups]

    def update(self, batch_outputs: BatchOutputs) -> None:
        """Update the metrics with a batch."""
        for scorer, output, targets in zip(
            self._scorers, batch_outputs.groups, batch_outputs.batch.targets, strict=True
        ):
            if output is not None:
                scorer.update(output.outputs, targets)

    def compute(self) -> Scores:
        """Compute the scores of all batches so far."""
        main: dict[str, TaskScore] = {}
        auxiliary: dict[str, TaskScore] = {}
        for group, scorer in zip(self._groups, self._scorers, strict=True):
            for task, score in zip(group.tasks, scorer.compute(), strict=True):
                task_scores = main if task.auxiliary_spec is None else auxiliary
                task_scores[task.name] = score
        return Scores(main, pool_scores(list(main.values())), auxiliary)


def compute_scores(
    network: MultiTaskNetwork,
    examples: Examples,
    rows: RowIndices,
    groups: Sequence[TaskGroup],
    active_groups: Sequence[bool] | None = None,
) -> Scores:
    """Compute the scores of a network on some examples.

    Args:
        network: The network; it is set to evaluation mode.
        examples: Encoded inputs and targets.
        rows: `(n,)`, int64: row indices of the examples.
        groups: The head groups.
        active_groups: Whether to compute each head group; all by default.
    """
    scorer = Scorer(groups)
    for batch_outputs in run_network(network, examples, rows, get_device(network), active_groups):
        scorer.update(batch_outputs)
    return scorer.compute()
