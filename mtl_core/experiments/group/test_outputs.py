"""Evaluate finished trainings on the test split, once, after all choices were made on validation data."""

import shutil
from dataclasses import replace
from pathlib import Path

from mtl_core.artifacts.json_files import dump_json, read_json
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.atomic import write_text_atomically
from mtl_core.data.fitted_data import FittedData
from mtl_core.data.prepare import prepare
from mtl_core.data.target_encoding import encode_examples
from mtl_core.evaluation.scores import Scores
from mtl_core.experiments.output_dir import create_folder
from mtl_core.experiments.trials import Trial
from mtl_core.plugins.active_registry import use_registry
from mtl_core.runs.batched_networks.evaluation import evaluate_networks, load_networks
from mtl_core.runs.provenance import check_input_files
from mtl_core.runs.result_files import build_scores_report
from mtl_core.runs.saved_run import SavedRun, load_run
from mtl_core.runs.split_evaluation import evaluate_split


def write_test_outputs(trial: Trial, output_dir: Path) -> bool:
    """Evaluate a finished training on its test split, and write the outputs into a folder of their own.

    The run keeps its outputs for the validation split. The folder contains what a comparison reads of a run.

    Args:
        trial: The training: of one network, or of independent networks.
        output_dir: The folder of the outputs; a complete one is kept.

    Returns:
        Whether the data has a test split; nothing is written without one.

    Raises:
        MtlError: If the run or its data cannot be read, or the folder cannot be written.
    """
    run, output = RunDirectory(trial.run_dir), RunDirectory(output_dir)
    if output.metrics.is_file():
        return True
    scores = _evaluate_networks(run, output) if trial.independent else _evaluate_run(run, output)
    if scores is None:
        return False
    metrics = read_json(run.metrics)
    metrics["splits"]["test"] = build_scores_report(scores)
    write_text_atomically(output.metrics, dump_json(metrics))  # last: it marks the folder as complete
    return True


def _evaluate_run(run: RunDirectory, output: RunDirectory) -> Scores | None:
    """Evaluate one network; None without a test split."""
    saved_run = load_run(run.path)
    data = prepare(saved_run.config)
    if not len(data.split.test):
        return None
    _copy_run_files(run, output)
    return evaluate_split(saved_run.network, _use_saved_tasks(data, saved_run), "test", output)


def _evaluate_networks(run: RunDirectory, output: RunDirectory) -> Scores | None:
    """Evaluate independent networks that were trained at once; None without a test split."""
    experiment = RunDirectory.open(run.path).load_experiment()
    with use_registry(experiment.registry):
        data = prepare(experiment.config)
        if not len(data.split.test):
            return None
        check_input_files(run, experiment.config)
        networks = load_networks(run, experiment.config, data)
        _copy_run_files(run, output)
        return evaluate_networks(experiment.config, data, networks, "test", output)


def _copy_run_files(run: RunDirectory, output: RunDirectory) -> None:
    """Create the folder of the outputs, with the files that describe the run."""
    create_folder(output.path, exist_ok=True)
    for path in (run.config, run.state, run.provenance, run.python_parts):
        if path.is_file():
            shutil.copyfile(path, output.path / path.name)


def _use_saved_tasks(data: FittedData, saved_run: SavedRun) -> FittedData:
    """Replace the tasks by those of a saved run, with their calibration, and without heads that are not saved."""
    tasks = [task for group in saved_run.groups for task in group.tasks]
    missing_labels: list[None] = [None] * len(data.corpus)
    labels = {task.name: data.labels.get(task.name, missing_labels) for task in tasks}
    examples = encode_examples(saved_run.groups, labels, data.corpus, data.encoder, data.parsed)
    return replace(data, tasks=tasks, groups=saved_run.groups, labels=labels, examples=examples)
