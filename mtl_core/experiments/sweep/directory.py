"""The output directory of a sweep: the names of its files, and the check that it belongs to this sweep."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import dump_config
from mtl_core.config.sweep import Sweep
from mtl_core.errors import MtlError


@dataclass(frozen=True)
class SweepDirectory:
    """The output directory of a sweep, and the names of its files."""

    path: Path

    @property
    def plan(self) -> Path:
        """The experiment and the `sweep:` block that the folder belongs to."""
        return self.path / "sweep.json"

    @property
    def database(self) -> Path:
        """Optuna's SQLite storage."""
        return self.path / "study.db"

    @property
    def trials(self) -> Path:
        """The table of trials, one line per trial."""
        return self.path / "trials.csv"

    @property
    def best(self) -> Path:
        """The best trial as an experiment."""
        return self.path / "best.yaml"

    def get_trial_path(self, number: int) -> Path:
        """Return the experiment file of a trial; its name is the prefix of the trial's run directories."""
        return self.path / "trials" / f"{number:04d}.yaml"

    def reserve(self, config: ExperimentConfig, sweep: Sweep, n_seeds: int) -> None:
        """Create the folder, or reuse one of the same sweep. The number of trials may differ.

        Args:
            config: The experiment.
            sweep: The `sweep:` block.
            n_seeds: Number of seeds per trial.

        Raises:
            MtlError: If the folder contains something else, or cannot be created.
        """
        plan = _build_plan(config, sweep, n_seeds)
        if self.path.exists():
            _check_same_plan(self.path, _read_plan(self.plan), plan)
            return
        try:
            self.path.mkdir(parents=True)
            self.get_trial_path(0).parent.mkdir()
        except OSError as error:
            raise MtlError(f"{self.path}: cannot be created: {error.strerror}") from error
        write_text_atomically(self.plan, json.dumps(plan, indent=2, ensure_ascii=False) + "\n")


def _build_plan(config: ExperimentConfig, sweep: Sweep, n_seeds: int) -> dict[str, Any]:
    return {
        "experiment": dump_config(config),
        **sweep.model_dump(mode="json", exclude={"trials"}),
        "seeds": n_seeds,
    }


def _read_plan(plan_path: Path) -> dict[str, Any] | None:
    try:
        plan_data = json.loads(plan_path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return plan_data if isinstance(plan_data, dict) else None


def _check_same_plan(path: Path, existing_plan: dict[str, Any] | None, plan: dict[str, Any]) -> None:
    if existing_plan is None:
        raise MtlError(f"{path}: exists already, and contains no sweep; choose another --out")
    differing_keys = [key for key in plan if existing_plan.get(key) != plan[key]]
    if differing_keys:
        raise MtlError(
            f"{path}: contains a sweep with another {', '.join(differing_keys)}; choose another --out, "
            "or repeat the original options"
        )
