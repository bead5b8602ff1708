"""The content of `metrics.json` for independent networks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from mtl_core.artifacts.metrics import Timing
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.licences import collect_licence_notes
from mtl_core.data.fitted_data import FittedData
from mtl_core.evaluation.scores import Scores
from mtl_core.runs.batched_networks.build import get_group
from mtl_core.runs.measurements import measure_peak_memory_mb
from mtl_core.runs.result_files import build_data_report, build_scores_report, find_lower_is_better
from mtl_core.training.loop import TrainingResult


@dataclass(frozen=True)
class NetworkTiming:
    """Times of all networks together.

    Attributes:
        train_s: Seconds of training.
        evaluate_s: Seconds of evaluation.
        inference_ms: Milliseconds per example of all networks; None without examples.
    """

    train_s: float
    evaluate_s: float
    inference_ms: float | None


def build_network_metrics(
    config: ExperimentConfig,
    data: FittedData,
    results: Sequence[TrainingResult],
    scores: Mapping[str, Scores],
    timing: NetworkTiming,
    n_parameters: int,
) -> dict[str, Any]:
    """Build the content of `metrics.json`.

    Args:
        config: The experiment.
        data: The fitted data.
        results: The training of each network.
        scores: Split name to scores.
        timing: Times of all networks together.
        n_parameters: Number of trained parameters of each network.
    """
    tasks = get_group(data).tasks
    n_visited = sum(result.n_examples for result in results)
    return {
        "experiment": config.name,
        "seed": config.seed,
        "data": asdict(build_data_report(data)),
        "model": {
            "parameters": n_parameters * len(tasks),
            "networks": {
                task.name: {
                    "parameters": n_parameters,
                    "epochs": len(result.history),
                    "best_epoch": result.best_epoch,
                    "best_score": result.best_score,
                }
                for task, result in zip(tasks, results, strict=True)
            },
        },
        "splits": {split_name: build_scores_report(one) for split_name, one in scores.items()},
        "lower_is_better": find_lower_is_better(scores.values()),
        "licences": collect_licence_notes(config),
        "timing": asdict(
            Timing(
                load_s=data.load_s,
                encode_s=data.encode_s,
                train_s=timing.train_s,
                evaluate_s=timing.evaluate_s,
                train_examples_per_s=n_visited / max(timing.train_s, 1e-9),
                peak_memory_mb=measure_peak_memory_mb(),
                inference_ms=timing.inference_ms,
                interactions_s=0.0,
            )
        ),
    }
