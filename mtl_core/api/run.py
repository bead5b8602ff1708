"""Runs: trained models with their metrics, predictions and reports."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from mtl_core.api.evaluate import evaluate_table
from mtl_core.api.experiment import PythonExperiment
from mtl_core.api.extend import extend_from_python
from mtl_core.api.metrics import MetricTable
from mtl_core.api.predictions import Predictions, predict_inputs
from mtl_core.api.report import Report
from mtl_core.api.task import Task
from mtl_core.artifacts.json_files import read_json
from mtl_core.artifacts.run_directory import RunDirectory
from mtl_core.artifacts.saved_predictions import SavedPredictions, read_predictions
from mtl_core.config.extension import ExtensionMode
from mtl_core.config.load import check_inputs
from mtl_core.errors import MtlError
from mtl_core.plugins.active_registry import use_registry
from mtl_core.plugins.python_parts import get_part_name
from mtl_core.progress.training import ProgressCallback
from mtl_core.reporting.write import write_run_report
from mtl_core.runs.run import run_experiment
from mtl_core.runs.saved_run import SavedRun, load_run

if TYPE_CHECKING:
    from mtl_core.nn.network import MultiTaskNetwork


class Run:
    """A trained model. It is returned by `Model.fit` and `load`.

    Args:
        path: The run directory.
        parts: Spec classes and modules that no plugin registers.
        plugins: Further plugins.
    """

    def __init__(self, path: Path, parts: Sequence[object] = (), plugins: Sequence[str] = ()) -> None:
        self.path = path
        self._parts = list(parts)
        self._plugins = list(plugins)
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @cached_property
    def metrics(self) -> MetricTable:
        """The metrics of each split and task, such as `run.metrics["test", "topic", "accuracy"]`."""
        run = RunDirectory.open(self.path)
        run.require_file(run.metrics)
        return MetricTable.from_json(read_json(run.metrics))

    @cached_property
    def predictions(self) -> SavedPredictions:
        """The predictions that the run wrote for its test (or validation) data, in whichever format.

        Example: `run.predictions["topic"].probabilities` is an array `(examples, classes)`, whose rows belong to
        `run.predictions.ids`.
        """
        return read_predictions(RunDirectory.open(self.path).require_predictions())

    @cached_property
    def saved_run(self) -> SavedRun:
        """The network with its encoder and tasks."""
        return load_run(self.path, self._plugins, self._parts)

    @property
    def network(self) -> MultiTaskNetwork:
        """The trained network, a `torch.nn.Module` in evaluation mode."""
        return self.saved_run.network

    def predict(self, inputs: Any, *, attention: bool = False) -> Predictions:
        """Predict the labels of new inputs.

        Args:
            inputs: A table with the input columns (as for `Data.from_frame`), a list of texts if the only input is a
                text, or an array if the only input is an array.
            attention: Whether to add tokens and attention weights.

        Raises:
            MtlError: If an input column is missing, or a cell does not fit its type.
        """
        return predict_inputs(self.saved_run, inputs, attention)

    def evaluate(self, table: Any) -> MetricTable:
        """Compute the metrics on new labelled data; the split is named `data`.

        Args:
            table: A table with the input columns and at least one label column, as for `Data.from_frame`.

        Raises:
            MtlError: If the run reads no columns, a column is missing, or there is no label.
        """
        return evaluate_table(self.saved_run, table)

    def extend(
        self,
        tasks: Task | str | Sequence[Task | str],
        data: Any = None,
        *,
        mode: ExtensionMode = "frozen",
        margin: float | Mapping[str, float] | None = None,
        force: bool = False,
        overrides: Sequence[str] = (),
        out: str | Path | None = None,
        progress: bool = True,
    ) -> Run:
        """Train a new run with further tasks on the network of this one, as `mtl extend` does.

        Args:
            tasks: The tasks to add; a name is a classification task. The default head is that of the run's first task.
            data: The labels of the added tasks, with the input columns of the run: the path of a file, or a table as
                for `Data.from_frame` if the run reads columns of tables. None if the data of the run has their columns.
            mode: `frozen` trains only the new heads, and leaves all other answers as they are; `joint` trains the whole
                network, and is refused if a task of this run may have got worse.
            margin: How much worse a task of this run may get by joint training: a number, or task to number; by default
                0.01, and 1 % of the run's score for errors.
            force: Whether to keep the result of joint training even if it is refused.
            overrides: `key=value` strings, as with `--set`.
            out: The run directory, which must not exist; by default a temporary one.
            progress: Whether to show progress, and what to expect of the added tasks.

        Raises:
            MtlError: If the tasks or the data do not fit the run, or joint training is refused.
        """
        temporary = tempfile.TemporaryDirectory(prefix="mtl-run-") if out is None else None
        path = Path(temporary.name) / "extended" if temporary is not None else Path(str(out))
        _, parts = extend_from_python(
            self.path,
            self.saved_run,
            tasks,
            data,
            mode,
            margin,
            force,
            overrides,
            path,
            progress,
            self._parts,
            self._plugins,
        )
        run = Run(path, parts, self._plugins)
        run._temporary = temporary
        if out is not None:
            run.report()
        return run

    def report(self) -> Report:
        """Write the HTML report into the run directory. The result shows itself in a notebook."""
        return Report(write_run_report(self.path)[0])

    def save(self, path: str | Path) -> Path:
        """Copy the run directory, with its report.

        Args:
            path: The new directory, which must not exist.

        Raises:
            MtlError: If it exists or cannot be written.
        """
        target = Path(path)
        if target.exists():
            raise MtlError(f"{target}: exists already; choose another path")
        if not RunDirectory(self.path).report.is_file():
            self.report()
        temporary_path = target.with_name(f".{target.name}.{os.getpid()}")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(self.path, temporary_path)
            temporary_path.rename(target)
        except OSError as error:
            raise MtlError(f"{target}: the run cannot be written: {error.strerror}") from error
        finally:
            if temporary_path.exists():
                shutil.rmtree(temporary_path)
        return target

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    def _repr_html_(self) -> str:
        return self.metrics._repr_html_()


def train_run(source: PythonExperiment, out: str | Path | None, progress: bool, evaluate_test: bool) -> Run:
    """Train an experiment, as `mtl run` does.

    Args:
        source: The experiment.
        out: The run directory; None for a temporary one that exists as long as the run does.
        progress: Whether to show progress.
        evaluate_test: Whether to evaluate the test data.

    Raises:
        MtlError: If the experiment is invalid, or does not fit its data.
    """
    experiment = source.load()
    check_inputs(experiment)
    temporary = tempfile.TemporaryDirectory(prefix="mtl-run-") if out is None else None
    path = Path(temporary.name) / experiment.config.name if temporary is not None else Path(str(out))
    console = Console(stderr=True, quiet=not progress)
    with use_registry(experiment.registry), ProgressCallback(console) as callback:
        report = run_experiment(experiment.config, path, callback, evaluate_test, experiment.path)
    for warning in report.data.warnings:
        console.print(f"note: {warning}", highlight=False, markup=False, soft_wrap=True)
    parts = experiment.registry.plugins.parts
    RunDirectory(report.path).write_python_parts([get_part_name(part) for part in parts])
    run = Run(report.path, parts, experiment.config.plugins)
    run._temporary = temporary
    if out is not None:
        run.report()
    return run


def load(path: str | Path, parts: Sequence[object] = (), plugins: Sequence[str] = ()) -> Run:
    """Load a saved run.

    Args:
        path: The run directory, of `Model.fit`, `Run.save` or `mtl run`.
        parts: Spec classes and modules that the run uses and no plugin registers, such as classes of a notebook.
        plugins: Further plugins: module names, or paths of `.py` files.

    Raises:
        MtlError: If there is no such run, it is incomplete or damaged, or a part is missing.
    """
    if not isinstance(path, str | Path):
        raise MtlError(f"load: expected the path of a run directory, found {path!r}")
    run = Run(Path(path), parts, plugins)
    _ = run.saved_run  # the errors of a damaged run are raised here, not at the first prediction
    return run
