"""The validation and test scores of independent networks."""

from collections.abc import Iterator, Sequence

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.training import Selection
from mtl_core.data.batches import RowIndices, build_length_batches
from mtl_core.data.fitted_data import FittedData
from mtl_core.evaluation.inference import EVALUATION_BATCH_SIZE, BatchOutputs
from mtl_core.evaluation.score_pooling import pool_scores
from mtl_core.evaluation.scorer import Scorer
from mtl_core.evaluation.scores import Scores, TaskScore
from mtl_core.evaluation.selection import (
    compute_selection_score,
    flatten_scores,
    is_higher_better,
    resolve_selection,
)
from mtl_core.evaluation.undefined_metrics import find_defined_metrics
from mtl_core.nn.heads import HeadOutput
from mtl_core.plugins.specs import MetricSpec
from mtl_core.training.batched_networks.stacked_networks import StackedNetworks
from mtl_core.training.batched_networks.trainer import LiveTasks
from mtl_core.training.loop import ValidationMetrics

AGGREGATIONS_OF_ANY_TASK = {None, "overall", "mean", "relative_error_reduction"}


class NetworkValidation:
    """Computes the validation metrics of independent networks: those of their separate runs.

    Args:
        config: The experiment. If one task selects the epoch, each network is selected by its own task.
        networks: The networks.
        data: The fitted data.
    """

    def __init__(self, config: ExperimentConfig, networks: StackedNetworks, data: FittedData) -> None:
        self._networks, self._data = networks, data
        self._rows = data.split.select_labelled(data.split.validation)
        select = config.training.select
        self._selections: dict[str, Selection] = {}
        for task in data.tasks:
            of_any = select.aggregation in AGGREGATIONS_OF_ANY_TASK
            others = [other for other in [*data.tasks, *data.inactive_tasks] if other is not task]
            task_selection = Selection(metric=select.metric, aggregation=select.aggregation if of_any else task.name)
            self._selections[task.name] = resolve_selection(task_selection, [task], others)
        self._directions = {task.name: is_higher_better(self._selections[task.name], [task]) for task in data.tasks}
        self._defined_metrics = self._find_defined_metrics()

    def _find_defined_metrics(self) -> dict[str, MetricSpec]:
        first = next(iter(self._selections.values()))
        if first.aggregation not in {"mean", "relative_error_reduction"}:
            return {}
        return find_defined_metrics(first, self._data)

    def __call__(self, live_tasks: LiveTasks) -> list[ValidationMetrics]:
        """Compute the metrics of the networks that are still trained."""
        scorer = Scorer([live_tasks.group])
        for outputs in iterate_outputs(self._networks, live_tasks, self._data, self._rows):
            scorer.update(outputs)
        scores = scorer.compute().tasks
        return [self._build_metrics(task.name, scores[task.name]) for task in live_tasks.tasks]

    def _build_metrics(self, name: str, task_score: TaskScore) -> ValidationMetrics:
        scores = build_single_scores(name, task_score)
        select = self._selections[name]
        defined = None
        if select.aggregation in {"mean", "relative_error_reduction"}:
            defined = {name: self._defined_metrics[name]} if name in self._defined_metrics else {}
        score = compute_selection_score(select, scores, defined)
        return ValidationMetrics(flatten_scores(scores), score, self._directions[name])


def build_single_scores(name: str, task_score: TaskScore) -> Scores:
    """Return the scores of a network with one task."""
    return Scores({name: task_score}, pool_scores([task_score]), {})


def iterate_outputs(
    networks: StackedNetworks, live_tasks: LiveTasks, data: FittedData, rows: RowIndices
) -> Iterator[BatchOutputs]:
    """Yield the outputs of all live networks for some examples, one batch at a time.

    Args:
        networks: The networks.
        live_tasks: Their tasks.
        data: The fitted data.
        rows: `(n,)`, int64: row indices of the examples.
    """
    for batch_rows in build_length_batches(rows, data.examples.lengths, EVALUATION_BATCH_SIZE):
        batch = live_tasks.select(data.examples.build_batch(batch_rows, networks.device))
        outputs = networks.predict(batch.inputs, len(batch_rows))
        yield BatchOutputs(batch_rows, batch, [HeadOutput(outputs)])


def pool_networks(task_scores: Sequence[tuple[str, TaskScore]]) -> Scores:
    """Return the scores of all networks, with metrics pooled over them."""
    return Scores(dict(task_scores), pool_scores([score for _, score in task_scores]), {})
