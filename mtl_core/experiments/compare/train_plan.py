"""Train the trials of a comparison, with a progress bar."""

from rich.console import Console

from mtl_core.config.experiment_source import ExperimentSource
from mtl_core.experiments.compare.comparability import check_has_outputs
from mtl_core.experiments.compare.plan import Plan
from mtl_core.experiments.trials import Trial, train_trials
from mtl_core.progress.bars import build_progress, print_plain


def train_plan(source: ExperimentSource, plan: Plan, jobs: int, console: Console) -> None:
    """Train the trials of a plan that are not complete yet.

    Args:
        source: The experiment.
        plan: The plan.
        jobs: Maximum number of processes.
        console: The console of the progress bar.

    Raises:
        MtlError: If a trial fails, or has no scores; finished trials are kept.
    """
    with build_progress(console, "trainings") as progress:
        bar = progress.add_task("", total=len(plan.trials), status="")

        def on_trial_end(trial: Trial) -> None:
            check_has_outputs(trial.run_dir)
            progress.update(bar, advance=1)
            print_plain(console, f"{trial.run_dir.name}: trained")
            if progress.tasks[0].remaining == jobs - 1:  # one process is idle, so its core is free
                import mtl_core.experiments.compare.compare_runs  # noqa: F401

        train_trials(source, plan.trials, jobs, on_trial_end)
