"""`mtl sweep`."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import typer
from rich.console import Console

from mtl_core.config.load import check_inputs, load_experiment
from mtl_core.errors import MtlError
from mtl_core.runs.directory import next_free
from mtl_core.sweeps.check import check_space
from mtl_core.sweeps.folder import SweepFolder


def sweep_command(
    experiment: str,
    overrides: Sequence[str],
    plugins: Sequence[str],
    out: Path | None,
    trials: int | None,
    seeds: int,
    jobs: int,
) -> None:
    """Run a sweep, and print the best trials."""
    loaded = load_experiment(experiment, overrides, plugins)
    check_inputs(loaded)
    variants = check_space(loaded)
    if find_spec("optuna") is None:
        raise MtlError('a sweep needs Optuna: pip install "mtl-core[sweep]"')
    folder = SweepFolder(out if out is not None else next_free(Path("runs"), f"{loaded.config.name}-sweep"))

    from mtl_core.cli.sweep_progress import SweepProgress
    from mtl_core.cli.sweep_tables import print_sweep
    from mtl_core.sweeps.sweep import run_sweep

    try:
        with SweepProgress(Console(stderr=True)) as view:
            report = run_sweep(variants, folder, trials or variants.sweep.trials, seeds, jobs, view)
    except KeyboardInterrupt:
        typer.echo(_interrupted(folder), err=True)
        raise typer.Exit(130) from None
    print_sweep(Console(), loaded.config.name, report, variants.shown, folder)


def _interrupted(folder: SweepFolder) -> str:
    best = f"{folder.best} contains the best trial so far; " if folder.best.is_file() else ""
    return f"interrupted; {best}the same command with `--out {folder.path}` continues"
