"""The experiment config: the model of the whole YAML file."""

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    ValidationInfo,
    WrapValidator,
    field_validator,
    model_validator,
)

from mtl_core.config.named_heads import resolve_named_heads
from mtl_core.config.sweep import Sweep
from mtl_core.errors import did_you_mean, join_names
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import (
    ArchitectureField,
    AuxiliaryField,
    BackboneField,
    EncoderField,
    HeadField,
    LoaderField,
    LossMaskField,
    OptimizerField,
    SamplingField,
    ScheduleField,
    SplitterField,
    TaskKindField,
    TrackerField,
    WeightingField,
)
from mtl_core.plugins.specs import HeadSpec, LoaderSpec, TaskKindSpec
from mtl_core.plugins.strict_model import StrictModel, build_error_details

FORMAT_VERSION: int = 1

DEFAULT_DATA_SET_NAME = "data"
"""The name of the data set of an experiment with `data:`."""


class _TaskBase(StrictModel):
    """The keys that all entries of `tasks:` have."""

    kind: TaskKindField = default_type("classification")
    """The kind of the labels."""
    head: HeadField
    """The task-specific layers of the network."""
    mask: LossMaskField = default_type("observed")
    """Which labels count."""
    weight: NonNegativeFloat = 1.0
    """The weight of the task's loss relative to the other tasks'; at 0 the loss is not computed."""
    data: list[str] = []
    """The data sets of `data_sets:` that the task is trained on; if left out, all that have its label column."""


class NamedTask(_TaskBase):
    """One task."""

    name: str = Field(min_length=1)
    """The task's name."""
    label: str | None = None
    """The label column of the task; the task's name if left out."""

    @property
    def column(self) -> str:
        """The label column; an empty name if labels are derived from the inputs."""
        return "" if self.kind.reads_inputs else self.label or self.name

    def matches(self, name: str) -> bool:
        """Return whether this entry defines a task of this name."""
        return name == self.name


class TaskPattern(_TaskBase):
    """One task per label column that matches a pattern and has no task of its own name."""

    each: str
    """A pattern of column names: `*` for all columns."""

    def matches(self, name: str) -> bool:
        """Return whether this entry can define a task of this name."""
        return fnmatchcase(name, self.each)


def describe_level_mismatch(kind: TaskKindSpec, head: HeadSpec) -> str:
    """Return an error message if the head's outputs and the task's labels differ in level, else an empty text."""
    if kind.level == head.level:
        return ""
    return (
        f"the kind '{kind.type}' has one label per {kind.level}, but the head '{head.type}' returns outputs per "
        f"{head.level}; choose a head for {kind.level}s (`mtl plugins` lists them)"
    )


def _validate_task_entry(value: Any, handler: Any, info: ValidationInfo) -> Any:
    """Choose the model by the key `each`, so that errors concern one model only."""
    if isinstance(value, NamedTask | TaskPattern):
        return value
    model = TaskPattern if isinstance(value, dict) and "each" in value else NamedTask
    return model.model_validate(value, context=info.context)


TaskEntry = Annotated[NamedTask | TaskPattern, WrapValidator(_validate_task_entry)]


class Selection(StrictModel):
    """Selection of the best epoch, on validation data only."""

    metric: str | None = None
    """A metric that every task has; null is `accuracy` if all tasks have it, else each task's first."""
    aggregation: str | None = None
    """`overall` (all labels pooled), `mean` (mean over tasks), `relative_error_reduction` (mean over tasks of the error reduction
    relative to the baseline), or the name of one task. Null is `overall`; `mean` if the metric cannot be pooled;
    `relative_error_reduction` if tasks have different metrics, or errors in different units."""


class Training(StrictModel):
    """Settings of the training."""

    epochs: PositiveInt = 10
    """The maximum number of epochs."""
    batch_size: PositiveInt = 32
    """Examples per batch."""
    length_buckets: PositiveInt = 16
    """Batches per length bucket; examples are sorted by length within a bucket. 1 keeps the order random."""
    max_grad_norm: PositiveFloat | None = None
    """The maximum gradient norm, above which gradients are scaled down; null does not clip."""
    patience: PositiveInt | None = None
    """Epochs without a better validation score after which training stops; null never stops early."""
    select: Selection = Selection()
    """How the best epoch is selected."""
    refit: bool = False
    """Whether to train again from scratch on training and validation data, for the selected number of epochs."""
    r_drop: NonNegativeFloat = 0.0
    """The weight of R-Drop (Liang et al., 2021): each batch is passed twice with different dropout, and the
    divergence of both predictions is added to the loss; 0 passes it once."""
    calibrate: bool = False
    """Whether to fit calibration temperatures and detection thresholds on validation data."""
    lr_multipliers: dict[str, PositiveFloat] = {}
    """Patterns of weight names to factors of the learning rate; the longest matching pattern applies.
    `trunk.*: 0.1` trains the trunk with a tenth of the learning rate."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Precision of the computation: `fp32` for 32-bit floats only, otherwise mixed precision."""
    checkpoint_steps: PositiveInt | None = None
    """Steps between checkpoints within an epoch; null saves a checkpoint after each epoch only."""


class InitFrom(StrictModel):
    """Weights of a trained run to initialise the network from (warm start)."""

    run: Annotated[Path, Field(strict=False), "input-path"]
    """The run directory to load weights from."""
    weights: list[str] = Field(default=["trunk.*"], min_length=1)
    """Patterns of weight names: `trunk.*` for the trunk, `heads.NAME.*` for the head of a task."""


class InteractionConfig(StrictModel):
    """Measurements of task interactions during training."""

    every_n_steps: PositiveInt = 20
    """Steps between comparisons of the tasks' gradients of the shared parameters, starting at the first step."""
    affinity: bool = False
    """Whether to measure how a step along one task's gradient changes other losses: a forward pass per task."""
    max_groups: Annotated[int, Field(ge=2)] = 3
    """The maximum number of networks in a suggested grouping of the main tasks."""


class ExperimentConfig(StrictModel):
    """An experiment: data, parts, tasks and training, with all defaults filled in."""

    version: Literal[1] = 1
    """The format version of this file."""
    name: str = Field(min_length=1)
    """The name of the experiment; the file's name if left out."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 42
    """The seed of all random draws of the run."""
    plugins: list[str] = []
    """Plugins to load in addition to the installed ones: module names, or paths of `.py` files."""
    data: LoaderField | None = None
    """The loader of the examples."""
    data_sets: dict[str, LoaderField] = {}
    """Several data sets by name, instead of `data`, if tasks have different examples."""
    sampling: SamplingField = default_type("proportional")
    """How the data set of the next batch is chosen, if there are several data sets."""
    split: SplitterField = default_type("stratified")
    """How the training examples are split."""
    encoder: EncoderField
    """How raw inputs are converted into tensors."""
    backbone: BackboneField
    """The network that all tasks share."""
    architecture: ArchitectureField = default_type("hard-sharing")
    """How backbones and heads are connected."""
    heads: dict[str, HeadField] = {}
    """Heads by name, which tasks reference with `head: NAME`."""
    tasks: list[TaskEntry] = Field(min_length=1)
    """The tasks."""
    active_tasks: list[str] | None = Field(default=None, min_length=1)
    """Names of the tasks that are trained, with the split and encoding of all tasks; null trains all tasks."""
    auxiliary: list[AuxiliaryField] = []
    """Auxiliary tasks. They affect neither the selection of the epoch nor overall scores."""
    init_from: InitFrom | None = None
    """A trained run to initialise weights from; null initialises all weights randomly."""
    weighting: WeightingField = default_type("sum")
    """How the losses of the tasks are combined."""
    optimizer: OptimizerField = default_type("adam")
    """The optimizer."""
    schedule: ScheduleField = default_type("constant")
    """The learning rate schedule."""
    training: Training = Training()
    """Settings of the training."""
    interactions: InteractionConfig | None = None
    """Measurements of task interactions during training; null measures nothing."""
    trackers: list[TrackerField] = []
    """Experiment trackers that metrics are logged to, such as TensorBoard."""
    sweep: Sweep | None = None
    """The search space of `mtl sweep`; null for none. `mtl run` ignores it."""

    @field_validator("name")
    @classmethod
    def _validate_name(cls, name: str) -> str:
        if "/" in name or "\\" in name:
            raise ValueError(f"'{name}' contains a slash; run directories are named after the experiment")
        return name

    @model_validator(mode="before")
    @classmethod
    def _resolve_named_heads(cls, value: Any, info: ValidationInfo) -> Any:
        """Replace the names of heads by the heads that `heads:` declares."""
        return resolve_named_heads(value, info)

    @model_validator(mode="after")
    def _validate_compatibility(self) -> "ExperimentConfig":
        errors = []
        if self.data is None and not self.data_sets:
            errors.append(build_error_details(("data",), "missing", "required", None))
        elif self.data is not None and self.data_sets:
            message = "expected `data` (one data set) or `data_sets` (several by name), found both"
            errors.append(build_error_details(("data_sets",), "custom", message, None))
        for index, task in enumerate(self.tasks):
            if mismatch := describe_level_mismatch(task.kind, task.head):
                errors.append(build_error_details(("tasks", index, "head"), "custom", mismatch, None))
            for data_set_index, name in enumerate(task.data):
                if name not in self.loaders and not (self.data and self.data_sets):
                    message = (
                        f"unknown data set '{name}'{did_you_mean(name, self.loaders)} "
                        f"(data sets: {join_names(self.loaders)})"
                    )
                    errors.append(
                        build_error_details(("tasks", index, "data", data_set_index), "custom", message, name)
                    )
        for index, name in enumerate(self.active_tasks or []):
            if not any(entry.matches(name) for entry in self.tasks):
                known = [entry.name if isinstance(entry, NamedTask) else entry.each for entry in self.tasks]
                message = f"unknown task '{name}'{did_you_mean(name, known)} (tasks: {join_names(known)})"
                errors.append(build_error_details(("learn", index), "custom", message, name))
        if self.weighting.balances_gradients and self.training.precision == "fp16":
            message = (
                f"'{self.weighting.type}' compares gradients, which are not available in fp16 (they are scaled); "
                "use precision `bf16` or `fp32`"
            )
            errors.append(build_error_details(("training", "precision"), "custom", message, "fp16"))
        if self.interactions is not None and self.training.precision == "fp16":
            message = (
                "`interactions` compares gradients, which are not available in fp16 (they are scaled); use "
                "precision `bf16` or `fp32`"
            )
            errors.append(build_error_details(("training", "precision"), "custom", message, "fp16"))
        if errors:
            raise ValidationError.from_exception_data("ExperimentConfig", errors)
        return self

    @property
    def loaders(self) -> dict[str, LoaderSpec]:
        """The loaders by data set name; the name of a single data set is `data`."""
        return {DEFAULT_DATA_SET_NAME: self.data} if self.data is not None else dict(self.data_sets)

    @field_validator("active_tasks")
    @classmethod
    def _validate_active_tasks(cls, active_tasks: list[str] | None) -> list[str] | None:
        duplicates = sorted({name for name in active_tasks or [] if (active_tasks or []).count(name) > 1})
        if duplicates:
            raise ValueError(f"the task '{duplicates[0]}' is listed twice")
        return active_tasks

    @field_validator("auxiliary")
    @classmethod
    def _validate_auxiliary_names(cls, auxiliary: list[AuxiliaryField]) -> list[AuxiliaryField]:
        names = [spec.task_name for spec in auxiliary]
        duplicates = sorted({name for name in names if names.count(name) > 1})
        if duplicates:
            raise ValueError(f"two auxiliary tasks are named '{duplicates[0]}'; give one of them another `name:`")
        return auxiliary

    @field_validator("trackers")
    @classmethod
    def _validate_trackers(cls, trackers: list[TrackerField]) -> list[TrackerField]:
        types = [spec.type for spec in trackers]
        duplicates = sorted({name for name in types if types.count(name) > 1})
        if duplicates:
            raise ValueError(f"there are two trackers of type '{duplicates[0]}'; one of each type is enough")
        return trackers

    @field_validator("tasks")
    @classmethod
    def _validate_task_names(cls, tasks: list[TaskEntry]) -> list[TaskEntry]:
        names = [task.name for task in tasks if isinstance(task, NamedTask)]
        duplicates = sorted({name for name in names if names.count(name) > 1})
        if duplicates:
            raise ValueError(f"two tasks are named '{duplicates[0]}'; task names must differ")
        return tasks


InputFile = Annotated[Path, Field(strict=False), "input-file"]
"""A file that must exist. Relative paths start at the YAML file's folder; for `--set`, at the working folder."""
InputPath = Annotated[Path, Field(strict=False), "input-path"]
"""A file or folder that must exist."""
