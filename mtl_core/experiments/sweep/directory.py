"""The output directory of a sweep: the names of its files, and the check that it belongs to this sweep."""

from dataclasses import dataclass
from pathlib import Path

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import dump_config
from mtl_core.config.sweep import Sweep
from mtl_core.errors import MtlError
from mtl_core.experiments.output_dir import Plan, create_folder, reserve_folder


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

    def list_run_dirs(self) -> list[Path]:
        """List the run directories of trials, sorted by name."""
        return sorted(path for path in self.get_trial_path(0).parent.glob("*-seed*") if path.is_dir())

    def reserve(self, config: ExperimentConfig, sweep: Sweep, n_seeds: int) -> None:
        """Create the folder, or reuse one of the same sweep. The number of trials may differ.

        Args:
            config: The experiment.
            sweep: The `sweep:` block.
            n_seeds: Number of seeds per trial.

        Raises:
            MtlError: If the folder contains something else, or cannot be created.
        """
        plan: Plan = {
            "experiment": dump_config(config),
            **sweep.model_dump(mode="json", exclude={"trials"}),
            "seeds": n_seeds,
        }

        def merge_plans(existing_plan: Plan | None) -> Plan:
            if existing_plan is None:
                raise MtlError("exists already, and contains no sweep; choose another --out")
            if differing_keys := [key for key in plan if existing_plan.get(key) != plan[key]]:
                raise MtlError(
                    f"contains a sweep with another {', '.join(differing_keys)}; choose another --out, "
                    "or repeat the original options"
                )
            return existing_plan

        reserve_folder(self.plan, plan, merge_plans)
        create_folder(self.get_trial_path(0).parent, exist_ok=True)
