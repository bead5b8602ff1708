"""The command line. Imports stay inside commands, so that `mtl --help` answers at once."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from mtl_core.cli.plugin_commands import WithPlugins
from mtl_core.errors import MtlError

app = typer.Typer(
    cls=WithPlugins,
    name="mtl",
    help="Multi-task learning from plugins: one network, many tasks, declared in YAML.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

ExperimentArgument = Annotated[
    str, typer.Argument(metavar="EXPERIMENT", help="Path of a YAML file, or name of a packaged experiment.")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run directory.")]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set one value, such as training.epochs=3. May be repeated."),
]
DataSetOption = Annotated[
    str | None,
    typer.Option("--data-set", metavar="NAME", help="Of a run with several data sets: the one a file is like."),
]
PrecisionOption = Annotated[
    Literal["fp32", "bf16", "int8"],
    typer.Option(help="In how many bits the network computes: fewer are faster, and change the last digits."),
]
PluginOption = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="PLUGIN", help="Load a module or a .py file as a plugin. May be repeated."),
]


@app.command()
def run(
    experiment: ExperimentArgument,
    settings: SetOption = None,
    plugin: PluginOption = None,
    out: Annotated[Path | None, typer.Option(help="The run directory to make; runs/NAME-NNN if left out.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Overrides the experiment's seed.")] = None,
) -> None:
    """Load, split, train, evaluate, report."""
    from mtl_core.cli.run import run_command

    overrides = [*(settings or []), *([f"seed={seed}"] if seed is not None else [])]
    run_command(experiment, overrides, plugin or [], out)


@app.command()
def resume(path: RunArgument) -> None:
    """Go on with a run that was cut off, to the results it would have had."""
    from mtl_core.cli.run import resume_command

    resume_command(path)


@app.command()
def evaluate(
    path: RunArgument,
    data: Annotated[
        Path | None,
        typer.Option(help="A labelled file of the loader's format; the run's own test part if left out."),
    ] = None,
    data_set: DataSetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    precision: PrecisionOption = "fp32",
    plugin: PluginOption = None,
) -> None:
    """Score a run on labelled data."""
    from mtl_core.cli.reuse import evaluate_command

    evaluate_command(path, data, data_set, as_json, precision, plugin or [])


@app.command()
def predict(
    path: RunArgument,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Texts; `-` reads a text a line from standard input."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--input", help=".txt (a text a line), .jsonl (objects with a text), or the loader's format."),
    ] = None,
    data_set: DataSetOption = None,
    output: Annotated[Path | None, typer.Option(help="Write JSON Lines to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines.")] = False,
    attention: Annotated[
        bool, typer.Option("--attention", help="Also tell how much each token counted for each task.")
    ] = False,
    precision: PrecisionOption = "fp32",
    plugin: PluginOption = None,
) -> None:
    """Ask a run about new texts."""
    from mtl_core.cli.reuse import predict_command

    predict_command(path, texts or [], file, data_set, output, as_json, attention, precision, plugin or [])


@app.command()
def ablate(
    experiment: ExperimentArgument,
    settings: SetOption = None,
    plugin: PluginOption = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to make, or to go on in; runs/NAME-ablation-NNN if left out.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds, counted up from the experiment's.")] = 3,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Cross-validate over so many folds instead of the own split.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at a time, one thread each.")] = 1,
) -> None:
    """Find out whether auxiliary tasks help: train without any, with each alone, and with all."""
    from mtl_core.cli.ablate import ablate_command

    ablate_command(experiment, settings or [], plugin or [], out, seeds, folds, jobs)


@app.command()
def sweep(
    experiment: ExperimentArgument,
    settings: SetOption = None,
    plugin: PluginOption = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to make, or to go on in; runs/NAME-sweep-NNN if left out.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Trials in all, those already done included; overrides sweep.trials.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds a trial, counted up from the experiment's.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings at a time, one thread each if several.")] = 1,
) -> None:
    """Search better values for the keys in the experiment's block `sweep:`. Validation data decides."""
    from mtl_core.cli.sweep import sweep_command

    sweep_command(experiment, settings or [], plugin or [], out, trials, seeds, jobs)


@app.command()
def report(
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="A run directory, or the folder of a comparison.")],
    figures: Annotated[
        Path | None,
        typer.Option(help="Also write the figures as PDF and SVG into this folder, fit for a paper."),
    ] = None,
) -> None:
    """Draw the report again: one page about a run or a comparison, `report.html` in its folder."""
    from mtl_core.cli.report import report_command

    report_command(path, figures)


@app.command()
def compare(
    targets: Annotated[
        list[str],
        typer.Argument(
            metavar="EXPERIMENT|RUN...", help="One experiment, or two or more run directories, the reference first."
        ),
    ],
    settings: SetOption = None,
    plugin: PluginOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder to make, or to go on in; runs/NAME-comparison-NNN if left out."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="How many seeds, counted up from the experiment's; 5 if left out.")
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(
            min=2, help="Hold each of so many folds of the training data out once, instead of the test part."
        ),
    ] = None,
    others: Annotated[
        list[str] | None,
        typer.Option(
            "--with",
            metavar="KEY=V1,V2",
            help="Also compare these values of a key, each by itself. May be repeated.",
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Trainings at a time, one thread each; as many as there are cores if left out."),
    ] = None,
    resamples: Annotated[int, typer.Option(min=100, help="How often seeds and examples are drawn.")] = 2000,
) -> None:
    """Find out whether learning together is worth it: multi-task, equal weights, single-task, the majority."""
    from mtl_core.cli.compare import compare_command

    compare_command(targets, settings or [], plugin or [], out, seeds, folds, others or [], jobs, resamples)


@app.command()
def serve(
    path: RunArgument,
    host: Annotated[str, typer.Option(help="The address to listen at; 0.0.0.0 lets everybody ask.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for any that is free.")] = 8000,
    plugin: PluginOption = None,
    max_text: Annotated[int, typer.Option(min=1, metavar="CHARACTERS", help="Length of a text.")] = 20_000,
    max_texts: Annotated[int, typer.Option(min=1, help="Texts of a request.")] = 256,
    max_bytes: Annotated[int, typer.Option(min=1, help="Bytes of a request.")] = 2_000_000,
    max_upload: Annotated[int, typer.Option(min=1, help="Bytes of a file, where plugins take some.")] = 100_000_000,
    max_waiting: Annotated[
        int, typer.Option(min=1, help="Texts that may wait; a request that finds no room is refused (503).")
    ] = 1024,
    timeout: Annotated[
        float, typer.Option(min=0.001, metavar="SECONDS", help="When a request is given up (504).")
    ] = 30.0,
    batch_wait: Annotated[
        float,
        typer.Option(
            min=0, metavar="MS", help="Milliseconds that a text waits for company while nothing else is done."
        ),
    ] = 0.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Texts that the network reads at a time, at most.")] = 32,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Threads that torch computes in; as many as torch likes if left out.")
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "int8"],
        typer.Option(help="In how many bits the network computes; auto: bf16 where the processor is made for it."),
    ] = "auto",
) -> None:
    """Serve a run: predictions over HTTP, and a page to try it. Needs `pip install "mtl-core[serve]"`."""
    from mtl_core.cli.serve import serve_command
    from mtl_core.serving.limits import Limits

    limits = Limits(max_text, max_texts, max_bytes, max_upload, max_waiting, timeout, batch_wait / 1000, batch_size)
    serve_command(path, host, port, limits, threads, precision, plugin or [])


@app.command()
def validate(experiment: ExperimentArgument, settings: SetOption = None, plugin: PluginOption = None) -> None:
    """Check an experiment without running it."""
    from mtl_core.cli.inspect import validate_command

    validate_command(experiment, settings or [], plugin or [])


@app.command()
def schema(
    plugin: PluginOption = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")] = None,
) -> None:
    """Print the JSON Schema of experiment files, with all that is installed."""
    from mtl_core.cli.inspect import schema_command

    schema_command(plugin or [], output)


@app.command()
def plugins(plugin: PluginOption = None) -> None:
    """List what is installed, by hook, and from where."""
    from mtl_core.cli.inspect import plugins_command

    plugins_command(plugin or [])


@app.command()
def interactions(path: RunArgument) -> None:
    """Show what tasks did to each other in a run that measured it: the directions of gradients, affinities."""
    from mtl_core.cli.interactions import interactions_command

    interactions_command(path)


@app.command("new-plugin")
def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin's name: letters, digits, - and _.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder to put it into; the current one if left out.")
    ] = None,
) -> None:
    """Write a new plugin: a loader, a head and a metric that run, with sample data and a test."""
    from mtl_core.cli.new_plugin import new_plugin_command

    new_plugin_command(name, out)


@app.callback(invoke_without_command=True)
def _main(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
) -> None:
    if version:
        from mtl_core import __version__

        typer.echo(f"mtl-core {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    Mistakes of the user end with one message and exit code 2; a bug keeps its traceback.
    """
    # Waiting threads of torch would otherwise spin for long. Two trainings at once on two cores took 75 s so, and
    # take 13 s with this; one alone, 9 s with either. torch reads it when imported, so it has to be said before.
    os.environ.setdefault("GOMP_SPINCOUNT", "300")
    # Kernels are compiled for each shape of batch, and 1,024 of them kept would be 250 MB.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    try:
        app(args=arguments)
    except MtlError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(2)
