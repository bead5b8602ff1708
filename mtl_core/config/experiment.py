"""What an experiment is: the model of the whole YAML file."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    WrapValidator,
    field_validator,
)

from mtl_core.config.seam_fields import (
    BackboneField,
    EncoderField,
    HeadField,
    LoaderField,
    LossMaskField,
    OptimizerField,
    ScheduleField,
    SplitterField,
    TaskKindField,
    WeightingField,
)
from mtl_core.config.strict import StrictModel

FORMAT_VERSION: int = 1


def _default(type_name: str) -> Any:
    """A block that is looked up in the registry even when it is left out, so that the core names no class."""
    return Field(default_factory=lambda: {"type": type_name}, validate_default=True)


class _TaskParts(StrictModel):
    """What every entry of `tasks:` says."""

    kind: TaskKindField = _default("classification")
    """What the labels are."""
    head: HeadField
    """The part of the network that belongs to the task."""
    mask: LossMaskField = _default("observed")
    """Which labels count."""
    weight: NonNegativeFloat = 1.0
    """How much the task's loss counts beside the others'."""


class NamedTask(_TaskParts):
    """One task."""

    name: str = Field(min_length=1)
    """The task's name."""
    label: str | None = None
    """The label column that it learns; the task's name if left out."""

    @property
    def column(self) -> str:
        """The label column."""
        return self.label or self.name


class DerivedTasks(_TaskParts):
    """One task for every label column that the loader found and after which no other task is called."""

    each: str
    """A pattern over column names: `*` for all of them."""


def _task_entry(value: Any, handler: Any, info: ValidationInfo) -> Any:
    """Choose the model by the key `each`, so that errors speak of one model only."""
    if isinstance(value, NamedTask | DerivedTasks):
        return value
    model = DerivedTasks if isinstance(value, dict) and "each" in value else NamedTask
    return model.model_validate(value, context=info.context)


TaskEntry = Annotated[NamedTask | DerivedTasks, WrapValidator(_task_entry)]


class Selection(StrictModel):
    """How the best epoch is chosen. Only validation data is asked."""

    metric: str = "accuracy"
    """A metric that every task has."""
    over: str = "overall"
    """`overall` (all labels pooled), `mean` (mean over tasks), or the name of one task."""


class Training(StrictModel):
    """How the network is trained."""

    epochs: PositiveInt = 10
    """How often every example is visited, at most."""
    batch_size: PositiveInt = 32
    """Examples in a batch."""
    bucket_batches: PositiveInt = 16
    """Batches that are sorted by length together; 1 leaves the order random and pads more."""
    clip_norm: PositiveFloat | None = None
    """The gradient norm above which gradients are scaled down; null leaves them."""
    patience: PositiveInt | None = None
    """Epochs without a better validation figure after which training stops; null never stops early."""
    select: Selection = Selection()
    """Which epoch is kept."""
    refit: bool = False
    """Train afresh on training and validation data together, for as many epochs as selection found best."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """Mixed precision; `no` is 32-bit floats throughout."""
    checkpoint_steps: PositiveInt | None = None
    """Also save a checkpoint every so many steps within an epoch; null saves after each epoch only."""


class ExperimentConfig(StrictModel):
    """An experiment: data, parts, tasks and training, every value stated or defaulted."""

    version: Literal[1] = 1
    """The format of this file."""
    name: str = Field(min_length=1)
    """The experiment's name; the file's name if left out."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    """Every random draw of the run comes from it."""
    plugins: list[str] = []
    """Plugins to load besides the installed ones: module names, or paths of `.py` files."""
    data: LoaderField
    """Where the examples come from."""
    split: SplitterField = _default("stratified")
    """How the training examples are divided."""
    encoder: EncoderField
    """How raw inputs become numbers."""
    backbone: BackboneField
    """The network that all tasks share."""
    tasks: list[TaskEntry] = Field(min_length=1)
    """What is learned."""
    weighting: WeightingField = _default("static")
    """How the losses of the tasks are combined."""
    optimizer: OptimizerField = _default("adam")
    """How gradients become steps."""
    schedule: ScheduleField = _default("constant")
    """How the learning rate moves."""
    training: Training = Training()
    """How the network is trained."""

    @field_validator("name")
    @classmethod
    def _name_of_a_folder(cls, name: str) -> str:
        if "/" in name or "\\" in name:
            raise ValueError(f"'{name}' holds a slash; run directories are called after the experiment")
        return name

    @field_validator("tasks")
    @classmethod
    def _distinct_task_names(cls, tasks: list[TaskEntry]) -> list[TaskEntry]:
        names = [task.name for task in tasks if isinstance(task, NamedTask)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two tasks are called '{twice[0]}'; task names must differ")
        return tasks


InputFile = Annotated[Path, Field(strict=False), "input-file"]
"""A file that must exist. Relative paths start at the YAML file's folder, or where the command was typed."""
InputPath = Annotated[Path, Field(strict=False), "input-path"]
"""A file or folder that must exist."""
