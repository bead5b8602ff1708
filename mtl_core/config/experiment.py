"""The experiment config: the model of the whole YAML file."""

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from mtl_core.config.column_encoders import complete_encoder
from mtl_core.config.extension import Extension, list_extension_errors
from mtl_core.config.layouts import validate_layouts
from mtl_core.config.named_heads import resolve_named_heads
from mtl_core.config.sweep import Sweep
from mtl_core.config.tasks import NamedTask, TaskEntry, describe_level_mismatch
from mtl_core.config.training import InitFrom, InteractionConfig, Training
from mtl_core.errors import did_you_mean, find_duplicates, join_names
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import (
    ArchitectureField,
    AuxiliaryField,
    BackboneField,
    EncoderField,
    HeadField,
    LoaderField,
    OptimizerField,
    SamplingField,
    ScheduleField,
    SplitterField,
    TrackerField,
    WeightingField,
)
from mtl_core.plugins.specs import LoaderSpec
from mtl_core.plugins.strict_model import StrictModel, build_error_details

FORMAT_VERSION: int = 1

DEFAULT_DATA_SET_NAME = "data"
"""The name of the data set of an experiment with `data:`."""


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
    encoder: EncoderField = Field(default_factory=dict, validate_default=True)
    """How raw inputs are converted into tensors; by default, each input column by the encoder of its type, and the
    `numbers` of a table by `array`."""
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
    extends: Extension | None = None
    """A finished run that this one extends by tasks, written by `mtl extend`; null for a new network."""
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
    predictions: Literal["auto", "jsonl", "safetensors", "parquet", "none"] = "auto"
    """The format of the predictions that the run writes: `jsonl` (one line per example), `safetensors` (arrays),
    `parquet` (one row per example), or `none`; `auto` is `jsonl` up to 20 main tasks, above that `safetensors`."""
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

    @field_validator("encoder", mode="wrap")
    @classmethod
    def _complete_encoder(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """Add the default encoder, or those of input columns, that the loaders declare."""
        if "data" not in info.data or "data_sets" not in info.data:
            return value if value == {} else handler(value)  # the loader is invalid, and its error is reported
        loaders = [info.data["data"]] if info.data["data"] is not None else list(info.data["data_sets"].values())
        return handler(complete_encoder(value, loaders))

    @model_validator(mode="after")
    def _validate_compatibility(self, info: ValidationInfo) -> "ExperimentConfig":
        heads = [task.head for task in self.tasks]
        errors = validate_layouts(self.encoder, self.backbone, heads, info.context)
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
                errors.append(build_error_details(("active_tasks", index), "custom", message, name))
        if self.extends is not None:
            excluded = self.active_tasks is not None or self.init_from is not None or self.training.refit
            errors += list_extension_errors(self.extends, self.tasks, excluded)
        if self.training.precision == "fp16":
            comparers = [f"'{self.weighting.type}'"] if self.weighting.balances_gradients else []
            for comparer in [*comparers, *(["`interactions`"] if self.interactions is not None else [])]:
                message = (
                    f"{comparer} compares gradients, which are not available in fp16 (they are scaled); use "
                    "precision `bf16` or `fp32`"
                )
                errors.append(build_error_details(("training", "precision"), "custom", message, "fp16"))
        pixel_task = next((task for task in self.tasks if task.kind.level == "pixel"), None)
        if self.training.r_drop and pixel_task is not None:
            name = pixel_task.name if isinstance(pixel_task, NamedTask) else pixel_task.each
            message = (
                f"R-Drop compares two passes, whose pixels augmentation moves apart; the task '{name}' labels pixels"
            )
            errors.append(build_error_details(("training", "r_drop"), "custom", message, self.training.r_drop))
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
        if duplicates := find_duplicates(active_tasks or []):
            raise ValueError(f"the task '{duplicates[0]}' is listed twice")
        return active_tasks

    @field_validator("auxiliary")
    @classmethod
    def _validate_auxiliary_names(cls, auxiliary: list[AuxiliaryField]) -> list[AuxiliaryField]:
        if duplicates := find_duplicates([spec.task_name for spec in auxiliary]):
            raise ValueError(f"two auxiliary tasks are named '{duplicates[0]}'; give one of them another `name:`")
        return auxiliary

    @field_validator("trackers")
    @classmethod
    def _validate_trackers(cls, trackers: list[TrackerField]) -> list[TrackerField]:
        if duplicates := find_duplicates([spec.type for spec in trackers]):
            raise ValueError(f"there are two trackers of type '{duplicates[0]}'; one of each type is enough")
        return trackers

    @field_validator("tasks")
    @classmethod
    def _validate_task_names(cls, tasks: list[TaskEntry]) -> list[TaskEntry]:
        if duplicates := find_duplicates([task.name for task in tasks if isinstance(task, NamedTask)]):
            raise ValueError(f"two tasks are named '{duplicates[0]}'; task names must differ")
        return tasks
