"""Whether the tasks of a run got worse by joint training with added tasks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mtl_core.data.fitted_data import FittedData
from mtl_core.experiments.compare.compared_scores import ComparedScores, VariantOutputs
from mtl_core.experiments.compare.margins import resolve_margins
from mtl_core.experiments.compare.variant_scores import resolve_metrics
from mtl_core.experiments.extend.validation_outputs import collect_validation_outputs
from mtl_core.runs.saved_run import SavedRun
from mtl_core.statistics.non_inferiority import NonInferiorityVerdict, ScoreChange, decide_non_inferiority

BEFORE, AFTER = "before", "after"


@dataclass(frozen=True)
class KnownTaskResult:
    """A task of the run before and after joint training, on the same validation examples.

    Attributes:
        name: Its name.
        metric: The metric.
        n_labels: Number of validation labels; 0 if the task could not be measured.
        before: The score of the run; None if it is undefined.
        after: The score of the extended run; None if it is undefined.
        largest_loss: The largest deterioration that is compatible with the data, the end of the one-sided 95 %
            interval; negative if the task is shown to be better. None if it is unknown.
        margin: The largest deterioration that is acceptable.
        verdict: Whether it is shown to have got worse by less than the margin.
        p_value: The p-value of a deterioration by the margin or more, adjusted for the number of tasks.
        n_discordant: Number of examples that the two networks answer differently.
        n_needed: Number of labels that would show it if the scores were equal; None if it is unknown.
    """

    name: str
    metric: str
    n_labels: int
    before: float | None
    after: float | None
    largest_loss: float | None
    margin: float
    verdict: NonInferiorityVerdict
    p_value: float
    n_discordant: int
    n_needed: int | None

    def format_line(self) -> str:
        """Format the result in one line."""
        if not self.n_labels or self.before is None or self.after is None:
            return f"{self.name}: no validation label, or an undefined {self.metric}: not shown"
        bound = "" if self.largest_loss is None else f"; worse by at most {max(self.largest_loss, 0.0):.4f} (95 %)"
        line = (
            f"{self.name}: {self.metric.replace('_', ' ')} {self.before:.4f} before, {self.after:.4f} after, on "
            f"{self.n_labels} validation labels, {self.n_discordant} of them answered differently{bound}; margin "
            f"{self.margin:.4g}: {_VERDICTS[self.verdict]}"
        )
        if self.verdict == "not shown" and self.n_needed is not None and self.n_needed > self.n_labels:
            line += f" (if nothing got worse, about {self.n_needed:,} labels would show it)"
        return line


_VERDICTS: dict[NonInferiorityVerdict, str] = {
    "non-inferior": "not worse beyond the margin",
    "worse": "shown to be worse",
    "not shown": "not shown to stay within the margin",
}


def compare_known_tasks(
    parent: SavedRun, extended: SavedRun, data: FittedData, margins: Mapping[str, float], seed: int
) -> list[KnownTaskResult]:
    """Test for each task of a run whether joint training made it worse by less than its margin.

    Args:
        parent: The run.
        extended: The extended run.
        data: The data of the extended run; both networks answer its validation examples.
        margins: Task to margin, see `parse_margins`.
        seed: The seed of the permutation test.

    Raises:
        MtlError: If a margin names no task.
    """
    before, after = (collect_validation_outputs(saved_run, data) for saved_run in (parent, extended))
    metrics, _ = resolve_metrics(parent.config.training.select, parent.main_tasks)
    measured = {name: metric for name, metric in metrics.items() if name in before and name in after}
    examples = [str(row) for row in data.split.validation.tolist()]
    variants = [
        VariantOutputs(variant, "run", [[{name: outputs[name] for name in measured}]])
        for variant, outputs in ((BEFORE, before), (AFTER, after))
    ]
    scores = ComparedScores(variants, measured, "none", examples, seed)
    old_scores, new_scores = (scores.estimate_scores(variant) for variant in (BEFORE, AFTER))
    influences = scores.subtract_scores(AFTER, BEFORE)
    differences = scores.compute_differences(AFTER, BEFORE)
    resolved = resolve_margins(
        margins,
        {name: old_scores[name].mean if name in measured else None for name in metrics},
        {name: metric.higher_is_better for name, metric in metrics.items()},
    )
    changes = []
    for name, metric in metrics.items():
        if name not in measured or differences[name].interval.mean is None:
            changes.append(ScoreChange(None, None, resolved[name]))
            continue
        mean = differences[name].interval.mean or 0.0
        answer_change = influences[name].change if metric.higher_is_better else 0.0
        changes.append(
            ScoreChange(
                mean if metric.higher_is_better else -mean,
                differences[name].variance,
                resolved[name],
                answer_change,
                influences[name].n_examples,
            )
        )
    results = []
    for (name, metric), change, result in zip(metrics.items(), changes, decide_non_inferiority(changes), strict=True):
        n_labels = scores.label_counts.get(name, 0)
        results.append(
            KnownTaskResult(
                name,
                metric.key(),
                n_labels,
                old_scores[name].mean if name in measured else None,
                new_scores[name].mean if name in measured else None,
                None if result.lower_bound is None else -result.lower_bound,
                resolved[name],
                result.verdict,
                result.p_value,
                differences[name].n_discordant if name in measured else 0,
                change.estimate_needed_labels(n_labels) if n_labels else None,
            )
        )
    return results


def format_refusal(run: str, results: Sequence[KnownTaskResult]) -> str:
    """Format the message that refuses joint training."""
    refused = [result for result in results if result.verdict != "non-inferior"]
    worse = [result for result in refused if result.verdict == "worse"]
    subject = f"{len(refused)} of {len(results)} tasks of {run}"
    lines = [f"joint training is refused: {subject} may have got worse beyond the margin"]
    lines += [f"  {result.format_line()}" for result in results]
    if worse:
        lines.append(
            "  worse: train less (--set training.epochs=…, --set optimizer.lr=…), give the tasks of the run more "
            "weight (--set tasks.0.weight=…), or use --mode frozen, which leaves their answers as they are"
        )
    if len(worse) < len(refused):
        lines.append(
            "  not shown: the validation data has too few labels for this margin; state a larger --margin, train with "
            "more validation data, or use --mode frozen, which leaves the answers as they are"
        )
    lines.append("  --force keeps the extended run all the same; nothing was kept")
    return "\n".join(lines)
