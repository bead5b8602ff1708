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
from mtl_core.experiments.output_dir import create_folder
from mtl_core.runs.result_files import build_scores_report
from mtl_core.runs.saved_run import SavedRun, load_run
from mtl_core.runs.split_evaluation import evaluate_split


def write_test_outputs(run_dir: Path, output_dir: Path) -> bool:
    """Evaluate a finished run on its test split, and write the outputs into a folder of their own.

    The run keeps its outputs for the validation split. The folder contains what a comparison reads of a run.

    Args:
        run_dir: The directory of the run.
        output_dir: The folder of the outputs; a complete one is kept.

    Returns:
        Whether the data has a test split; nothing is written without one.

    Raises:
        MtlError: If the run or its data cannot be read, or the folder cannot be written.
    """
    run, output = RunDirectory(run_dir), RunDirectory(output_dir)
    if output.metrics.is_file():
        return True
    saved_run = load_run(run_dir)
    data = prepare(saved_run.config)
    if not len(data.split.test):
        return False
    create_folder(output_dir, exist_ok=True)
    for path in (run.config, run.state, run.provenance, run.python_parts):
        if path.is_file():
            shutil.copyfile(path, output_dir / path.name)
    scores = evaluate_split(saved_run.network, _use_saved_tasks(data, saved_run), "test", output)
    metrics = read_json(run.metrics)
    metrics["splits"]["test"] = build_scores_report(scores)
    write_text_atomically(output.metrics, dump_json(metrics))  # last: it marks the folder as complete
    return True


def _use_saved_tasks(data: FittedData, saved_run: SavedRun) -> FittedData:
    """Replace the tasks by those of a saved run, with their calibration, and without heads that are not saved."""
    tasks = [task for group in saved_run.groups for task in group.tasks]
    missing_labels: list[None] = [None] * len(data.corpus)
    labels = {task.name: data.labels.get(task.name, missing_labels) for task in tasks}
    examples = encode_examples(saved_run.groups, labels, data.corpus, data.encoder, data.parsed)
    return replace(data, tasks=tasks, groups=saved_run.groups, labels=labels, examples=examples)
