"""`mtl sweep`."""

from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from rich.console import Console

from mtl_core.artifacts.run_directory import find_free_path
from mtl_core.cli.console import handle_interrupt
from mtl_core.config.load import check_inputs, load_experiment
from mtl_core.errors import MtlError
from mtl_core.experiments.sweep.directory import SweepDirectory
from mtl_core.experiments.sweep.validate_space import validate_space


def sweep_command(
    experiment: str,
    overrides: Sequence[str],
    plugins: Sequence[str],
    output_dir: Path | None,
    n_trials: int | None,
    n_seeds: int,
    n_jobs: int,
) -> None:
    """Run a sweep, and print the best trials."""
    loaded = load_experiment(experiment, overrides, plugins)
    check_inputs(loaded)
    search_space = validate_space(loaded)
    if find_spec("optuna") is None:
        raise MtlError('a sweep needs Optuna: pip install "mtl-core[sweep]"')
    directory = SweepDirectory(
        output_dir if output_dir is not None else find_free_path(Path("runs"), f"{loaded.config.name}-sweep")
    )

    from mtl_core.cli.sweep_progress import SweepProgress
    from mtl_core.cli.sweep_tables import print_sweep
    from mtl_core.experiments.sweep.run_sweep import run_sweep

    with (
        handle_interrupt(partial(_format_resume_hint, directory)),
        SweepProgress(Console(stderr=True)) as callback,
    ):
        report = run_sweep(search_space, directory, n_trials or search_space.sweep.trials, n_seeds, n_jobs, callback)
    print_sweep(Console(), loaded.config.name, report, search_space.baseline_texts, directory)


def _format_resume_hint(directory: SweepDirectory) -> str:
    best = f"{directory.best} contains the best trial so far; " if directory.best.is_file() else ""
    return f"{best}the same command with `--out {directory.path}` continues"
