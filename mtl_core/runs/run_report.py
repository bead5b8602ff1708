"""The report of a run, and `metrics.json`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtl_core.artifacts.interactions import TaskInteractions
from mtl_core.artifacts.metrics import AuxiliaryCost, Timing
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.licences import collect_licence_notes
from mtl_core.data.fitted_data import FittedData
from mtl_core.evaluation.calibration import Calibration
from mtl_core.evaluation.scores import Scores
from mtl_core.nn.network import MultiTaskNetwork, count_parameters
from mtl_core.runs.result_files import build_data_report, build_scores_report, find_lower_is_better
from mtl_core.runs.warm_start import WarmStartReport


@dataclass(frozen=True)
class RunReport:
    """The result of a run.

    Attributes:
        path: The run directory.
        scores: Split name to scores.
        data: The fitted data.
        best_epoch: The selected epoch, counted from 1.
        best_score: The selection score of that epoch; None without a validation split.
        timing: Seconds per stage.
        costs: The cost of each auxiliary task.
        warm_start: The report of the warm start; None without `init_from`.
        interactions: The measured task interactions; None without `interactions`.
        calibration: The calibration; None without `training.calibrate`.
        n_processes: The number of processes that trained together.
    """

    path: Path
    scores: dict[str, Scores]
    data: FittedData
    best_epoch: int
    best_score: float | None
    timing: Timing
    costs: Sequence[AuxiliaryCost] = ()
    warm_start: WarmStartReport | None = None
    interactions: TaskInteractions | None = None
    calibration: Calibration | None = None
    n_processes: int = 1


def build_metrics(config: ExperimentConfig, report: RunReport, network: MultiTaskNetwork) -> dict[str, Any]:
    """Build the content of `metrics.json`."""
    metrics = {
        "experiment": config.name,
        "seed": config.seed,
        "data": asdict(build_data_report(report.data)),
        "model": {
            "parameters": count_parameters(network),
            "best_epoch": report.best_epoch,
            "best_score": report.best_score,
        },
        "splits": {split_name: build_scores_report(scores) for split_name, scores in report.scores.items()},
        "lower_is_better": find_lower_is_better(report.scores.values()),
        "licences": collect_licence_notes(config),
        "timing": asdict(report.timing),
    }
    if report.calibration is not None:
        metrics["calibration"] = asdict(report.calibration)
    if report.costs:
        metrics["auxiliary"] = {cost.name: asdict(cost) for cost in report.costs}
    if report.warm_start is not None:
        metrics["start"] = asdict(report.warm_start)
    return metrics
