"""What to expect of added tasks: their scores on validation data, with intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

from mtl_core.artifacts.comparison import Interval
from mtl_core.data.experiment_data import compute_label_mask
from mtl_core.data.fitted_data import FittedData
from mtl_core.experiments.compare.compared_scores import ComparedScores, VariantOutputs
from mtl_core.experiments.extend.validation_outputs import collect_validation_outputs
from mtl_core.runs.saved_run import SavedRun

NETWORK, BASELINE = "network", "baseline"


@dataclass(frozen=True)
class AddedTaskEstimate:
    """The score of an added task on its validation labels.

    Attributes:
        name: Its name.
        metric: Its main metric.
        n_training: Number of training labels.
        n_validation: Number of validation labels.
        score: The score with its 95 % interval; None if it is undefined.
        baseline: The score of the baseline, such as the most frequent class; None without one.
        gain: The improvement over the baseline, with its 95 % interval; None without a baseline.
    """

    name: str
    metric: str
    n_training: int
    n_validation: int
    score: Interval | None
    baseline: float | None
    gain: Interval | None

    def format_line(self) -> str:
        """Format the estimate in one line."""
        labels = f"{self.name}: trained on {self.n_training:,} labels"
        if self.score is None or self.score.mean is None:
            return f"{labels}; without validation labels, nothing is known about its score"
        metric = self.metric.replace("_", " ")
        interval = ""
        if self.score.low is not None and self.score.high is not None:
            interval = f", 95 % interval {self.score.low:.4f} to {self.score.high:.4f}"
        line = f"{labels}; {metric} {self.score.mean:.4f} on {self.n_validation:,} validation labels{interval}"
        if self.baseline is None or self.gain is None:
            return line
        is_better = self.gain.low is not None and self.gain.low > 0
        verdict = "better than" if is_better else "not shown to be better than"
        return f"{line}; {verdict} the baseline ({self.baseline:.4f})"


def estimate_added_tasks(
    extended: SavedRun, data: FittedData, names: Sequence[str], seed: int
) -> list[AddedTaskEstimate]:
    """Estimate the scores of added tasks on their validation labels.

    Args:
        extended: The extended run.
        data: Its data.
        names: The added tasks.
        seed: The seed of the permutation test.
    """
    outputs = collect_validation_outputs(extended, data)
    tasks = {task.name: task for task in extended.main_tasks}
    examples = [str(row) for row in data.split.validation.tolist()]
    estimates = []
    for name in names:
        metric = tasks[name].kind.metrics[0]
        is_labelled = compute_label_mask([tasks[name].config], data.labels, len(data.corpus))
        n_training = int(is_labelled[data.split.train].sum())
        if name not in outputs:
            estimates.append(AddedTaskEstimate(name, metric.key(), n_training, 0, None, None, None))
            continue
        variants = [VariantOutputs(NETWORK, "run", [[{name: outputs[name]}]])]
        baseline = outputs[name].predict_baseline()
        if baseline is not None:
            variants.append(VariantOutputs(BASELINE, "majority", [[{name: baseline}]]))
        scores = ComparedScores(variants, {name: metric}, "none", examples, seed)
        score = scores.estimate_scores(NETWORK)[name]
        gain = None
        if baseline is not None:
            difference = scores.compute_differences(NETWORK, BASELINE)[name].interval
            gain = difference if metric.higher_is_better else _negate(difference)
        estimates.append(
            AddedTaskEstimate(
                name,
                metric.key(),
                n_training,
                scores.label_counts[name],
                Interval(score.mean, score.low, score.high),
                scores.estimate_scores(BASELINE)[name].mean if baseline is not None else None,
                gain,
            )
        )
    return estimates


def _negate(interval: Interval) -> Interval:
    mean, low, high = (None if value is None else -value for value in (interval.mean, interval.low, interval.high))
    return Interval(mean, high, low)
