"""The run directory: all files that are needed to trust, reuse and repeat a run."""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.artifacts.provenance import Provenance
from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import Experiment, dump_config, load_experiment
from mtl_core.errors import MtlError, did_you_mean, join_names
from mtl_core.plugins.python_parts import get_part_name

FORMAT_VERSION = 2


@dataclass(frozen=True)
class RunDirectory:
    """The folder of a run, and the paths of its files."""

    path: Path

    @property
    def config(self) -> Path:
        """The resolved config."""
        return self.path / "config.yaml"

    @property
    def state(self) -> Path:
        """Label spaces and the fitted encoder."""
        return self.path / "state.json"

    @property
    def weights(self) -> Path:
        """The network's weights."""
        return self.path / "model.safetensors"

    @property
    def provenance(self) -> Path:
        """Versions, platform, git revision and digests of the input files."""
        return self.path / "provenance.json"

    @property
    def metrics(self) -> Path:
        """All metrics."""
        return self.path / "metrics.json"

    @property
    def history(self) -> Path:
        """One line per epoch."""
        return self.path / "history.csv"

    @property
    def predictions(self) -> Path:
        """One line per example; a run of many tasks has one of `compact_predictions` instead."""
        return self.path / "predictions.jsonl"

    @property
    def compact_predictions(self) -> list[Path]:
        """The predictions in formats for many tasks; a run writes at most one of them."""
        return [self.path / f"predictions.{extension}" for extension in ("safetensors", "parquet")]

    def find_predictions(self) -> Path | None:
        """Return the file of predictions, of whichever format; None if the run wrote none."""
        return next((path for path in (self.predictions, *self.compact_predictions) if path.is_file()), None)

    def require_predictions(self) -> Path:
        """Return the file of predictions, of whichever format.

        Raises:
            MtlError: If the run wrote none.
        """
        path = self.find_predictions()
        if path is None:
            raise MtlError(
                f"{self.path}: the run has no predictions; it was made with `predictions: none`, or its data has "
                "neither a test split nor validation data"
            )
        return path

    @property
    def predicted_masks(self) -> Path:
        """The folder of the predicted masks of tasks with labels per pixel."""
        return self.path / "predicted_masks"

    @property
    def outputs(self) -> Path:
        """The raw outputs for each label of the same examples."""
        return self.path / "outputs.safetensors"

    @property
    def mistakes(self) -> Path:
        """The most confident mistakes of each task."""
        return self.path / "mistakes.jsonl"

    @property
    def pictures(self) -> Path:
        """The first examples with their predictions and masks; missing if the inputs are no images."""
        return self.path / "pictures.jsonl"

    @property
    def interactions(self) -> Path:
        """How tasks influence each other, if measured."""
        return self.path / "interactions.json"

    @property
    def extension(self) -> Path:
        """What an extension added, and whether the tasks of the extended run got worse; missing for other runs."""
        return self.path / "extension.json"

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def model_card(self) -> Path:
        """The model card."""
        return self.path / "MODEL_CARD.md"

    @property
    def tracking(self) -> Path:
        """What has been logged to trackers."""
        return self.path / "tracking.json"

    @property
    def python_parts(self) -> Path:
        """The names of the parts that were handed in from Python; missing if there are none."""
        return self.path / "python_parts.json"

    @property
    def checkpoint(self) -> Path:
        """The checkpoint that `mtl resume` loads; removed when the run is complete."""
        return self.path / "checkpoint.safetensors"

    @property
    def refit_checkpoint(self) -> Path:
        """The checkpoint of the refit training of a run with `training.refit`."""
        return self.path / "checkpoint-refit.safetensors"

    @classmethod
    def create(cls, path: Path, config: ExperimentConfig, provenance: Provenance) -> "RunDirectory":
        """Create the folder, and write the config and the provenance to it.

        Raises:
            MtlError: If the folder exists already or cannot be created.
        """
        if path.exists():
            raise MtlError(_format_exists_message(path))
        temporary_path = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            temporary_path.mkdir(parents=True)
            write_text_atomically(cls(temporary_path).config, dump_config(config))
            provenance.write(cls(temporary_path).provenance)
            # Renamed as a whole: a process that is killed here leaves no folder that cannot resume.
            temporary_path.rename(path)
        except OSError as error:
            raise MtlError(f"{path}: the run directory cannot be created: {error.strerror}") from error
        finally:
            if temporary_path.exists():
                shutil.rmtree(temporary_path)
        return cls(path)

    @classmethod
    def open(cls, path: Path) -> "RunDirectory":
        """Open an existing run directory.

        Raises:
            MtlError: If `path` is not a run directory.
        """
        run = cls(path)
        if not path.is_dir():
            raise MtlError(f"{path}: {'not a run directory, but a file' if path.exists() else _describe_absence(path)}")
        if not run.config.is_file():
            runs = sorted(config.parent.name for config in path.glob(f"*/{run.config.name}"))
            hint = f"; runs in it: {join_names(runs, 3)}" if runs else ""
            raise MtlError(f"{path}: not a run directory (it contains no {run.config.name}){hint}")
        return run

    def remove_if_empty(self) -> None:
        """Remove the folder of a run that failed before its first checkpoint, if it contains only what a new run does.

        Files that trackers have started are removed as well.
        """
        tracker_files = (
            json.loads(self.tracking.read_text(encoding="utf-8"))["files"] if self.tracking.is_file() else []
        )
        initial_files = {self.config.name, self.provenance.name, self.tracking.name, *tracker_files}
        if {path.name for path in self.path.iterdir()} <= initial_files:
            shutil.rmtree(self.path)

    def remove_temporary_files(self) -> None:
        """Remove temporary files that a killed process left."""
        result_files = [self.config, self.state, self.weights, self.metrics, self.history, self.predictions]
        result_files += [
            *self.compact_predictions,
            self.outputs,
            self.mistakes,
            self.pictures,
            self.interactions,
            self.extension,
            self.report,
            self.model_card,
            self.tracking,
            self.provenance,
            self.python_parts,
        ]
        for file in (*result_files, self.checkpoint, self.refit_checkpoint):
            for temporary_file in self.path.glob(f".{file.name}.*"):
                temporary_file.unlink(missing_ok=True)

    def load_experiment(self, plugins: Sequence[str] = (), parts: Sequence[object] = ()) -> Experiment:
        """Load the experiment from the config of the run; arguments as in `load_experiment`.

        Raises:
            MtlError: If the config is invalid, or a part that Python handed in is missing.
        """
        self._check_python_parts(parts)
        return load_experiment(self.config, plugins=plugins, parts=parts)

    def write_python_parts(self, names: Sequence[str]) -> None:
        """Write the names of the parts that Python handed in; loading the run needs them again."""
        if names:
            write_text_atomically(self.python_parts, json.dumps(list(names)) + "\n")

    def _check_python_parts(self, parts: Sequence[object]) -> None:
        if not self.python_parts.is_file():
            return
        names = json.loads(self.python_parts.read_text(encoding="utf-8"))
        given = {get_part_name(part) for part in parts}
        missing = [name for name in names if name not in given]
        if missing:
            raise MtlError(
                f"{self.path}: the run uses {join_names(missing)}, handed in from Python, whose code is not saved; "
                f"hand in all of its parts: mtl.load(path, parts=[{join_names(names)}])"
            )

    def write_state(self, state: dict[str, Any]) -> None:
        """Write the state that is needed to rebuild the network."""
        write_text_atomically(self.state, json.dumps({"format": FORMAT_VERSION, **state}, ensure_ascii=False))

    def read_state(self) -> dict[str, Any]:
        """Read the state that `write_state` wrote.

        Raises:
            MtlError: If the file is missing, damaged, or from a newer version.
        """
        self.require_file(self.state)
        try:
            state = json.loads(self.state.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise MtlError(f"{self.state}: damaged: {error}") from error
        if not isinstance(state, dict) or state.get("format") != FORMAT_VERSION:
            version = state.get("format") if isinstance(state, dict) else None
            raise MtlError(
                f"{self.state}: format {version!r}, this installation reads format {FORMAT_VERSION}; "
                "the run was created by another version of mtl-core"
            )
        return state

    def require_file(self, path: Path) -> Path:
        """Check that a file of the run exists, and return its path.

        Raises:
            MtlError: If the file is missing.
        """
        if not path.is_file():
            raise MtlError(f"{self.path}: the run is incomplete: {path.name} is missing; {describe_recovery(self)}")
        return path


def describe_recovery(run: RunDirectory) -> str:
    """Return a hint on how to complete an incomplete run."""
    if run.checkpoint.is_file() or run.refit_checkpoint.is_file():
        return f"continue it with `mtl resume {run.path}`"
    return f"repeat it with `mtl run {run.config} --out NEW`"


def find_free_path(parent: Path, name: str) -> Path:
    """Return the first unused path `parent/name-NNN`."""
    number = 1
    while (path := parent / f"{name}-{number:03d}").exists():
        number += 1
    return path


def check_absent(path: Path) -> None:
    """Check that an output directory does not exist, before any work is done.

    Raises:
        MtlError: If `path` exists.
    """
    if path.exists():
        raise MtlError(_format_exists_message(path))


def _describe_absence(path: Path) -> str:
    siblings = [sibling.name for sibling in path.parent.iterdir()] if path.parent.is_dir() else []
    return f"no such run directory{did_you_mean(path.name, siblings)}"


def _format_exists_message(path: Path) -> str:
    run = RunDirectory(path)
    hint = "; it contains an unfinished run: `mtl resume` continues it" if run.checkpoint.is_file() else ""
    return f"{path}: exists already; choose another --out{hint}"
