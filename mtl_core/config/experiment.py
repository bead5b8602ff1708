"""What an experiment is: the model of the whole YAML file."""

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

from mtl_core.config.by_registry import default_type
from mtl_core.config.named_heads import resolve_named_heads
from mtl_core.config.seam_fields import (
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
from mtl_core.config.strict import StrictModel, error_at
from mtl_core.errors import did_you_mean, listed
from mtl_core.specs import HeadSpec, LoaderSpec, TaskKindSpec
from mtl_core.sweeps.space import Sweep

FORMAT_VERSION: int = 1

ONE_DATA_SET = "data"
"""What the data set of an experiment with `data:` is called."""


class _TaskParts(StrictModel):
    """What every entry of `tasks:` says."""

    kind: TaskKindField = default_type("classification")
    """What the labels are."""
    head: HeadField
    """The part of the network that belongs to the task."""
    mask: LossMaskField = default_type("observed")
    """Which labels count."""
    weight: NonNegativeFloat = 1.0
    """How much the task's loss counts beside the others'; at 0 it is not computed."""
    data: list[str] = []
    """The data sets of `data_sets:` that the task learns from; all that have its label column if left out."""


class NamedTask(_TaskParts):
    """One task."""

    name: str = Field(min_length=1)
    """The task's name."""
    label: str | None = None
    """The label column that it learns; the task's name if left out."""

    @property
    def column(self) -> str:
        """The label column; an empty name if labels are made from the inputs."""
        return "" if self.kind.reads_inputs else self.label or self.name

    def may_be(self, name: str) -> bool:
        """Whether a task of this name comes from this entry."""
        return name == self.name


class DerivedTasks(_TaskParts):
    """One task for every label column that the loader found and after which no other task is called."""

    each: str
    """A pattern over column names: `*` for all of them."""

    def may_be(self, name: str) -> bool:
        """Whether a task of this name could come from this entry."""
        return fnmatchcase(name, self.each)


def level_flaw(kind: TaskKindSpec, head: HeadSpec) -> str:
    """Say what is wrong if a head gives outputs for examples where tokens are labelled, or the other way round."""
    if kind.level == head.level:
        return ""
    return (
        f"the kind '{kind.type}' has a label for each {kind.level}, but the head '{head.type}' gives outputs for "
        f"each {head.level}; choose a head for {kind.level}s (`mtl plugins` lists them)"
    )


def _task_entry(value: Any, handler: Any, info: ValidationInfo) -> Any:
    """Choose the model by the key `each`, so that errors speak of one model only."""
    if isinstance(value, NamedTask | DerivedTasks):
        return value
    model = DerivedTasks if isinstance(value, dict) and "each" in value else NamedTask
    return model.model_validate(value, context=info.context)


TaskEntry = Annotated[NamedTask | DerivedTasks, WrapValidator(_task_entry)]


class Selection(StrictModel):
    """How the best epoch is chosen. Only validation data is asked."""

    metric: str | None = None
    """A metric that every task has; null takes `accuracy` if every task has it, otherwise each task's first."""
    over: str | None = None
    """`overall` (all labels pooled), `mean` (mean over tasks), `gain` (mean over tasks of the share of the
    baseline's error that is gone), or the name of one task. Null is `overall`; `mean` where figures cannot be
    pooled; `gain` where tasks are measured differently, or by errors in units of their own."""


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
    consistency: NonNegativeFloat = 0.0
    """Pass each batch twice with different dropout, and count how far both answers lie apart (R-Drop; Liang et al.,
    2021); 0 passes it once."""
    calibrate: bool = False
    """Choose temperatures on validation data that make probabilities true, and thresholds of detection."""
    rates: dict[str, PositiveFloat] = {}
    """Patterns over names of weights to factors of the learning rate; of those that fit, the longest counts.
    `body.*: 0.1` lets what tasks share learn at a tenth."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """Mixed precision; `no` is 32-bit floats throughout."""
    checkpoint_steps: PositiveInt | None = None
    """Also save a checkpoint every so many steps within an epoch; null saves after each epoch only."""


class StartFrom(StrictModel):
    """Parts of a trained network to begin with."""

    run: Annotated[Path, Field(strict=False), "input-path"]
    """The run directory to take weights from."""
    parts: list[str] = Field(default=["body.*"], min_length=1)
    """Patterns over the names of weights: `body.*` for what tasks share, `heads.NAME.*` for the head of a task."""


class Interactions(StrictModel):
    """What is measured of tasks' influence on each other while the network is trained."""

    every: PositiveInt = 20
    """Look at tasks' gradients at the shared parameters every so many steps, beginning with the first."""
    affinity: bool = False
    """Also measure how a step along each task's gradient alone changes the others' losses: a forward pass each."""
    networks: Annotated[int, Field(ge=2)] = 3
    """Networks that a suggestion may divide the main tasks into, at most."""


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
    data: LoaderField | None = None
    """Where the examples come from."""
    data_sets: dict[str, LoaderField] = {}
    """Several data sets by name, instead of `data`: tasks with examples of their own."""
    sampling: SamplingField = default_type("proportional")
    """From which data set the next batch comes, where there are several."""
    split: SplitterField = default_type("stratified")
    """How the training examples are divided."""
    encoder: EncoderField
    """How raw inputs become numbers."""
    backbone: BackboneField
    """The network that all tasks share."""
    architecture: ArchitectureField = default_type("hard-sharing")
    """How backbones and heads are joined."""
    heads: dict[str, HeadField] = {}
    """Heads by name, for tasks to refer to: `head: NAME`."""
    tasks: list[TaskEntry] = Field(min_length=1)
    """What is learned."""
    learn: list[str] | None = Field(default=None, min_length=1)
    """Names of the tasks that are learned, of data divided and encoded as for all of them; null learns all."""
    auxiliary: list[AuxiliaryField] = []
    """Tasks that are there to help the others. They choose no epoch and count in no overall figure."""
    start_from: StartFrom | None = None
    """A trained run whose weights to begin with; null begins with random ones."""
    weighting: WeightingField = default_type("static")
    """How the losses of the tasks are combined."""
    optimizer: OptimizerField = default_type("adam")
    """How gradients become steps."""
    schedule: ScheduleField = default_type("constant")
    """How the learning rate moves."""
    training: Training = Training()
    """How the network is trained."""
    interactions: Interactions | None = None
    """Measure what tasks do to each other while they are trained; null for nothing."""
    trackers: list[TrackerField] = []
    """Where figures are kept besides the run directory: TensorBoard and the like."""
    sweep: Sweep | None = None
    """What `mtl sweep` searches; null for nothing. `mtl run` ignores it."""

    @field_validator("name")
    @classmethod
    def _name_of_a_folder(cls, name: str) -> str:
        if "/" in name or "\\" in name:
            raise ValueError(f"'{name}' holds a slash; run directories are called after the experiment")
        return name

    @model_validator(mode="before")
    @classmethod
    def _named_heads(cls, value: Any, info: ValidationInfo) -> Any:
        """Put the head that `heads:` declares in place of its name."""
        return resolve_named_heads(value, info)

    @model_validator(mode="after")
    def _parts_that_fit(self) -> "ExperimentConfig":
        lines = []
        if self.data is None and not self.data_sets:
            lines.append(error_at(("data",), "missing", "required", None))
        elif self.data is not None and self.data_sets:
            message = "expected `data` (one data set) or `data_sets` (several by name), found both"
            lines.append(error_at(("data_sets",), "seam", message, None))
        for place, task in enumerate(self.tasks):
            if flaw := level_flaw(task.kind, task.head):
                lines.append(error_at(("tasks", place, "head"), "seam", flaw, None))
            for number, name in enumerate(task.data):
                if name not in self.sources and not (self.data and self.data_sets):
                    message = (
                        f"unknown data set '{name}'{did_you_mean(name, self.sources)} "
                        f"(data sets: {listed(self.sources)})"
                    )
                    lines.append(error_at(("tasks", place, "data", number), "seam", message, name))
        for place, name in enumerate(self.learn or []):
            if not any(entry.may_be(name) for entry in self.tasks):
                known = [entry.name if isinstance(entry, NamedTask) else entry.each for entry in self.tasks]
                message = f"unknown task '{name}'{did_you_mean(name, known)} (tasks: {listed(known)})"
                lines.append(error_at(("learn", place), "seam", message, name))
        if self.weighting.balances_gradients and self.training.precision == "fp16":
            message = (
                f"'{self.weighting.type}' compares gradients, which are not to be had in fp16 (they are scaled); "
                "use precision `bf16` or `no`"
            )
            lines.append(error_at(("training", "precision"), "seam", message, "fp16"))
        if self.interactions is not None and self.training.precision == "fp16":
            message = (
                "`interactions` compares gradients, which are not to be had in fp16 (they are scaled); use "
                "precision `bf16` or `no`"
            )
            lines.append(error_at(("training", "precision"), "seam", message, "fp16"))
        if lines:
            raise ValidationError.from_exception_data("ExperimentConfig", lines)
        return self

    @property
    def sources(self) -> dict[str, LoaderSpec]:
        """The data sets by name; one without a name is called `data`."""
        return {ONE_DATA_SET: self.data} if self.data is not None else dict(self.data_sets)

    @field_validator("learn")
    @classmethod
    def _each_learned_once(cls, learn: list[str] | None) -> list[str] | None:
        twice = sorted({name for name in learn or [] if (learn or []).count(name) > 1})
        if twice:
            raise ValueError(f"the task '{twice[0]}' is listed twice")
        return learn

    @field_validator("auxiliary")
    @classmethod
    def _distinct_auxiliary_names(cls, auxiliary: list[AuxiliaryField]) -> list[AuxiliaryField]:
        names = [spec.task_name for spec in auxiliary]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two auxiliary tasks are called '{twice[0]}'; give one of them another `name:`")
        return auxiliary

    @field_validator("trackers")
    @classmethod
    def _distinct_trackers(cls, trackers: list[TrackerField]) -> list[TrackerField]:
        types = [spec.type for spec in trackers]
        twice = sorted({name for name in types if types.count(name) > 1})
        if twice:
            raise ValueError(f"there are two trackers of type '{twice[0]}'; one of each type is enough")
        return trackers

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
