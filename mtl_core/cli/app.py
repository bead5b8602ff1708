"""The command line. Commands import their modules lazily, so that `mtl --help` is fast."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from mtl_core.cli.options import (
    BatchedOption,
    DataSetOption,
    ExperimentArgument,
    MarginOption,
    PluginOption,
    PrecisionOption,
    RunArgument,
    SetOption,
)
from mtl_core.cli.plugin_commands import PluginAwareGroup
from mtl_core.cli.ranks import DISTRIBUTED_COMMANDS, check_single_process, print_error
from mtl_core.errors import MtlError

app = typer.Typer(
    cls=PluginAwareGroup,
    name="mtl",
    help="Multi-task learning from plugins: one network, many tasks, declared in YAML.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


@app.command()
def run(
    experiment: ExperimentArgument,
    settings: SetOption = None,
    plugin: PluginOption = None,
    out: Annotated[Path | None, typer.Option(help="The run directory; default runs/NAME-NNN.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Overrides the experiment's seed.")] = None,
) -> None:
    """Run an experiment: load, split, train, evaluate, report."""
    from mtl_core.cli.run import run_command

    overrides = [*(settings or []), *([f"seed={seed}"] if seed is not None else [])]
    run_command(experiment, overrides, plugin or [], out)


@app.command()
def resume(path: RunArgument) -> None:
    """Resume an interrupted run, with the same results as without the interruption."""
    from mtl_core.cli.run import resume_command

    resume_command(path)


@app.command()
def evaluate(
    path: RunArgument,
    data: Annotated[
        Path | None,
        typer.Option(help="A labelled file in the loader's format; default: the run's own test split."),
    ] = None,
    data_set: DataSetOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    precision: PrecisionOption = "fp32",
    plugin: PluginOption = None,
) -> None:
    """Evaluate a run on labelled data."""
    from mtl_core.cli.evaluate import evaluate_command

    evaluate_command(path, data, data_set, as_json, precision, plugin or [])


@app.command()
def predict(
    path: RunArgument,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Texts; `-` reads one text per line from standard input."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--input", help=".txt (one text per line), .jsonl (objects with a text), or the loader's."),
    ] = None,
    data_set: DataSetOption = None,
    output: Annotated[
        Path | None, typer.Option(help="Write to this file: .safetensors or .parquet as arrays, else JSON Lines.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON Lines.")] = False,
    attention: Annotated[
        bool, typer.Option("--attention", help="Also print the attention weight of each token for each task.")
    ] = False,
    masks: Annotated[
        Path | None, typer.Option(help="Write predicted masks to this folder, for tasks with labels per pixel.")
    ] = None,
    precision: PrecisionOption = "fp32",
    plugin: PluginOption = None,
) -> None:
    """Predict labels for new texts with a run."""
    from mtl_core.cli.predict import predict_command

    predict_command(path, texts or [], file, data_set, output, as_json, attention, precision, plugin or [], masks)


@app.command()
def extend(
    path: RunArgument,
    task: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A task to add, and its label column. May be repeated."),
    ] = None,
    tasks: Annotated[
        Path | None,
        typer.Option(metavar="FILE.yaml", help="The tasks to add, as in `tasks:` of an experiment, instead of --task."),
    ] = None,
    kind: Annotated[
        str | None, typer.Option(help="The kind of the added tasks, such as binary; default classification.")
    ] = None,
    head: Annotated[
        str | None, typer.Option(help="The head of the added tasks; default: that of the run's first task.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The label column, if it is not named like the task.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A file with the run's input columns and the new labels; default: the run's own data has them."
        ),
    ] = None,
    data_set: DataSetOption = None,
    mode: Annotated[
        Literal["frozen", "joint"],
        typer.Option(
            help="frozen: train the new heads only; other answers stay the same. joint: train the whole network, and "
            "refuse the result if a task may have got worse."
        ),
    ] = "frozen",
    margin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[TASK=]NUMBER",
            help="With --mode joint: how much worse a task may get; default 0.01, and for errors 1 % of the run's. May "
            "be repeated.",
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --mode joint: keep the result even if it is refused.")
    ] = False,
    settings: SetOption = None,
    plugin: PluginOption = None,
    out: Annotated[Path | None, typer.Option(help="The new run directory; default runs/NAME-extended-NNN.")] = None,
) -> None:
    """Extend a finished run by tasks: new heads on its network, which keeps the tasks that it has."""
    from mtl_core.cli.extend import extend_command

    extend_command(
        path,
        task or [],
        tasks,
        kind,
        head,
        label,
        data,
        data_set,
        mode,
        margin or [],
        force,
        settings or [],
        plugin or [],
        out,
    )


@app.command()
def ablate(
    experiment: ExperimentArgument,
    settings: SetOption = None,
    plugin: PluginOption = None,
    out: Annotated[
        Path | None, typer.Option(help="The output directory, new or to resume; default runs/NAME-ablation-NNN.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds, counted up from the experiment's seed.")] = 3,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Number of cross-validation folds, instead of the configured split.")
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Trainings in parallel, one thread each.")] = 1,
    margin: MarginOption = None,
) -> None:
    """Test whether auxiliary tasks help: train with none, with each one, and with all."""
    from mtl_core.cli.ablate import ablate_command

    ablate_command(experiment, settings or [], plugin or [], out, seeds, folds, jobs, margin or [])


@app.command()
def sweep(
    experiment: ExperimentArgument,
    settings: SetOption = None,
    plugin: PluginOption = None,
    out: Annotated[
        Path | None, typer.Option(help="The output directory, new or to resume; default runs/NAME-sweep-NNN.")
    ] = None,
    trials: Annotated[
        int | None, typer.Option(min=1, help="Total number of trials, with finished ones; overrides sweep.trials.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds per trial, counted up from the experiment's seed.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Trials in parallel, one thread each if several.")] = 1,
) -> None:
    """Search hyperparameters: the keys in the experiment's `sweep:` block, compared on validation data."""
    from mtl_core.cli.sweep import sweep_command

    sweep_command(experiment, settings or [], plugin or [], out, trials, seeds, jobs)


@app.command()
def report(
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="The directory of a run or of a comparison.")],
    figures: Annotated[
        Path | None,
        typer.Option(help="Also write the figures as PDF and SVG to this directory."),
    ] = None,
) -> None:
    """Render the report of a run or comparison: the page `report.html` in its directory."""
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
        typer.Option(help="The output directory, new or to resume; default runs/NAME-comparison-NNN."),
    ] = None,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds, counted up from the experiment's seed; default 5.")
    ] = None,
    folds: Annotated[
        int | None,
        typer.Option(min=2, help="Number of cross-validation folds of the training data, instead of the test split."),
    ] = None,
    extra_variants: Annotated[
        list[str] | None,
        typer.Option(
            "--variant",
            metavar="KEY=V1,V2",
            help="Also compare each of these values of a key. May be repeated.",
        ),
    ] = None,
    single: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TASKS",
            help="Compare these tasks only: a name, or a pattern such as 'ACEA_*'. May be repeated. The multi-task "
            "network still trains all tasks.",
        ),
    ] = None,
    single_sample: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Compare N tasks only, drawn by the experiment's seed."),
    ] = None,
    batched: BatchedOption = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Trainings in parallel, one thread each; default: the number of CPU cores."),
    ] = None,
    margin: MarginOption = None,
    plan: Annotated[
        bool,
        typer.Option(
            "--plan", help="Train nothing: print which differences more seeds would resolve, and what they cost."
        ),
    ] = False,
    pilot: Annotated[
        Path | None,
        typer.Option(metavar="COMPARISON", help="With --plan: a finished comparison of the same experiment."),
    ] = None,
    seed_std: Annotated[
        float | None,
        typer.Option(min=0, help="With --plan: standard deviation of the difference over seeds, without a pilot."),
    ] = None,
    example_std: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="With --plan: standard deviation of the difference over examples; for accuracy, the root of the share "
            "of examples that are answered differently.",
        ),
    ] = None,
) -> None:
    """Test whether multi-task learning helps: compare multi-task, equal weights, single-task and majority."""
    from mtl_core.cli.compare import compare_command
    from mtl_core.experiments.compare.single_task_selection import SingleTaskSelection

    selection = SingleTaskSelection(single or [], single_sample, batched)
    if plan:
        from mtl_core.cli.compare_plan import compare_plan_command

        compare_plan_command(
            targets,
            settings or [],
            plugin or [],
            folds,
            extra_variants or [],
            jobs,
            pilot,
            seed_std,
            example_std,
            selection,
        )
        return
    for option, value in {"--pilot": pilot, "--seed-std": seed_std, "--example-std": example_std}.items():
        if value is not None:
            raise MtlError(f"{option}: only with --plan")
    compare_command(
        targets,
        settings or [],
        plugin or [],
        out,
        seeds,
        folds,
        extra_variants or [],
        jobs,
        margin or [],
        selection,
    )


@app.command()
def group(
    experiment: ExperimentArgument,
    settings: SetOption = None,
    plugin: PluginOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The output directory, new or to resume; default runs/NAME-groups-NNN."),
    ] = None,
    networks: Annotated[int, typer.Option(min=2, metavar="K", help="Maximum number of networks.")] = 3,
    seeds: Annotated[
        int | None, typer.Option(min=1, help="Number of seeds, counted up from the experiment's seed; default 3.")
    ] = None,
    affinity_epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Epochs in which affinities are measured; default: a fifth of all, or more for small data."
        ),
    ] = None,
    affinity_only: Annotated[
        bool, typer.Option("--affinity-only", help="Divide the tasks, but do not train the networks.")
    ] = False,
    apart: Annotated[
        bool | None,
        typer.Option("--apart/--no-apart", help="Also train one network per task; default: up to 10 tasks."),
    ] = None,
    batched: BatchedOption = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Trainings in parallel, one thread each; default: the number of CPU cores."),
    ] = None,
    margin: MarginOption = None,
) -> None:
    """Find out which tasks to train together: divide them into networks by affinity, and compare by training."""
    from mtl_core.cli.group import group_command

    group_command(
        experiment,
        settings or [],
        plugin or [],
        out,
        networks,
        seeds,
        affinity_epochs,
        affinity_only,
        apart,
        batched,
        jobs,
        margin or [],
    )


@app.command()
def serve(
    path: RunArgument,
    host: Annotated[str, typer.Option(help="The address to bind; 0.0.0.0 for all interfaces.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="The port; 0 for any free port.")] = 8000,
    plugin: PluginOption = None,
    max_text_length: Annotated[
        int, typer.Option(min=1, metavar="CHARACTERS", help="Maximum length of a text.")
    ] = 20_000,
    max_texts: Annotated[int, typer.Option(min=1, help="Maximum number of texts per request.")] = 256,
    max_bytes: Annotated[int, typer.Option(min=1, help="Maximum size of a request in bytes.")] = 2_000_000,
    max_upload: Annotated[int, typer.Option(min=1, help="Maximum size of an upload in bytes.")] = 100_000_000,
    max_queue: Annotated[
        int, typer.Option(min=1, help="Maximum number of queued texts; further requests are refused (503).")
    ] = 1024,
    timeout: Annotated[float, typer.Option(min=0.001, metavar="SECONDS", help="Timeout of a request (504).")] = 30.0,
    max_batch_delay_ms: Annotated[
        float,
        typer.Option(
            min=0, metavar="MS", help="Maximum delay to fill a batch while the server is idle, in milliseconds."
        ),
    ] = 0.0,
    batch_size: Annotated[int, typer.Option(min=1, help="Maximum number of texts per batch.")] = 32,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Number of torch threads; default: torch's own choice.")
    ] = None,
    precision: Annotated[
        Literal["auto", "fp32", "bf16", "int8"],
        typer.Option(help="Numeric precision; auto: bf16 if the processor has bf16 instructions."),
    ] = "auto",
) -> None:
    """Serve a run over HTTP: predictions, and a page to try them. Requires `pip install "mtl-core[serve]"`."""
    from mtl_core.cli.serve import serve_command
    from mtl_core.serving.limits import Limits

    limits = Limits(
        max_text_length, max_texts, max_bytes, max_upload, max_queue, timeout, max_batch_delay_ms / 1000, batch_size
    )
    serve_command(path, host, port, limits, threads, precision, plugin or [])


@app.command()
def validate(
    experiment: ExperimentArgument,
    settings: SetOption = None,
    plugin: PluginOption = None,
    data: Annotated[
        bool,
        typer.Option("--data", help="Also load the data, fit the tasks, and pass one batch through the network."),
    ] = False,
) -> None:
    """Validate an experiment without running it."""
    from mtl_core.cli.validate import validate_command

    validate_command(experiment, settings or [], plugin or [], data)


@app.command()
def schema(
    plugin: PluginOption = None,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")] = None,
) -> None:
    """Print the JSON Schema of experiment files, including all installed plugins."""
    from mtl_core.cli.schema import schema_command

    schema_command(plugin or [], output)


@app.command()
def plugins(plugin: PluginOption = None) -> None:
    """List installed plugins and their contributions, by hook."""
    from mtl_core.cli.plugins import plugins_command

    plugins_command(plugin or [])


@app.command()
def interactions(path: RunArgument) -> None:
    """Print the task interactions that a run measured: gradient cosines, conflicts, affinities."""
    from mtl_core.cli.interactions import interactions_command

    interactions_command(path)


@app.command("new-plugin")
def new_plugin(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The plugin's name: letters, digits, - and _.")],
    out: Annotated[
        Path | None, typer.Option(help="The parent directory of the plugin; default: the current directory.")
    ] = None,
) -> None:
    """Write a new plugin: a loader, a head and a metric that run, with sample data and a test."""
    from mtl_core.cli.new_plugin import new_plugin_command

    new_plugin_command(name, out)


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version.")] = False,
) -> None:
    if version:
        from mtl_core import __version__

        typer.echo(f"mtl-core {__version__}")
        raise typer.Exit
    if context.invoked_subcommand not in DISTRIBUTED_COMMANDS:
        check_single_process(str(context.invoked_subcommand))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line.

    An `MtlError` is printed as one message with exit code 2; any other exception keeps its traceback.
    """
    # oneDNN compiles a kernel per batch shape; its default cache of 1,024 kernels occupies 250 MB.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    try:
        app(args=arguments)
    except MtlError as error:
        print_error(error)
        sys.exit(2)
