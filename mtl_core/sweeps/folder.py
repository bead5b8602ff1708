"""The folder of a sweep: what stands in it, to whom it belongs, and who is at work there."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_core.atomic import write_text_atomically
from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import dump_config
from mtl_core.errors import MtlError
from mtl_core.sweeps.space import Sweep


@dataclass(frozen=True)
class SweepFolder:
    """A sweep's folder, and the names of its files."""

    path: Path

    @property
    def plan(self) -> Path:
        """What the folder was made for."""
        return self.path / "sweep.json"

    @property
    def database(self) -> Path:
        """Optuna's storage."""
        return self.path / "study.db"

    @property
    def trials(self) -> Path:
        """One line a trial."""
        return self.path / "trials.csv"

    @property
    def best(self) -> Path:
        """The best trial as an experiment."""
        return self.path / "best.yaml"

    def trial(self, number: int) -> Path:
        """A trial as an experiment; its run directories are called after it."""
        return self.path / "trials" / f"{number:04d}.yaml"

    def claim(self, config: ExperimentConfig, sweep: Sweep, seeds: int) -> None:
        """Make the folder, or go on in one that was made for the same sweep. The number of trials may differ.

        Args:
            config: The experiment.
            sweep: What is searched, and how.
            seeds: Seeds a trial.

        Raises:
            MtlError: If it holds something else, or cannot be made.
        """
        plan = _plan(config, sweep, seeds)
        if self.path.exists():
            _compare(self.path, _read(self.plan), plan)
            return
        try:
            self.path.mkdir(parents=True)
            self.trial(0).parent.mkdir()
        except OSError as error:
            raise MtlError(f"{self.path}: cannot be made: {error.strerror}") from error
        write_text_atomically(self.plan, json.dumps(plan, indent=2, ensure_ascii=False) + "\n")


def _plan(config: ExperimentConfig, sweep: Sweep, seeds: int) -> dict[str, Any]:
    return {"experiment": dump_config(config), **sweep.model_dump(mode="json", exclude={"trials"}), "seeds": seeds}


def _read(plan: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(plan.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _compare(path: Path, found: dict[str, Any] | None, plan: dict[str, Any]) -> None:
    if found is None:
        raise MtlError(f"{path}: exists already, and holds no sweep; choose another --out")
    differs = [key for key in plan if found.get(key) != plan[key]]
    if differs:
        raise MtlError(
            f"{path}: holds a sweep of another {', '.join(differs)}; choose another --out, "
            "or say what was said when it was begun"
        )
