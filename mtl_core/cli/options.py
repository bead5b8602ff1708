"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated, Literal

import typer

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
    typer.Option("--data-set", metavar="NAME", help="With several data sets: the one that the file belongs to."),
]
PrecisionOption = Annotated[
    Literal["fp32", "bf16", "int8"],
    typer.Option(help="Numeric precision: bf16 and int8 are faster, and change the last digits."),
]
BatchedOption = Annotated[
    bool | None,
    typer.Option(
        "--batched/--separate",
        help="Train the single-task networks at once, or in a run each; default: at once for more than 20 tasks, "
        "where possible.",
        show_default=False,
    ),
]
MarginOption = Annotated[
    list[str] | None,
    typer.Option(
        metavar="[TASK=]NUMBER",
        help="Differences within ± this number are practically equal; default 0.01, and for errors 1 % of the "
        "reference's. May be repeated.",
    ),
]
PluginOption = Annotated[
    list[str] | None,
    typer.Option("--plugin", metavar="PLUGIN", help="Load a module or a .py file as a plugin. May be repeated."),
]
