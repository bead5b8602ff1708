"""The blocks of an experiment that control its training: `training`, `init_from` and `interactions`."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from mtl_core.config.paths import InputPath
from mtl_core.plugins.strict_model import StrictModel


class Selection(StrictModel):
    """Selection of the best epoch, on validation data only."""

    metric: str | None = None
    """A metric that every task has, by its type or its key in results (`roc-auc` or `roc_auc`); null is the first
    metric of each task's kind."""
    aggregation: str | None = None
    """`overall` (all labels pooled), `mean` (mean over tasks), `relative_error_reduction` (mean over tasks of the
    error reduction relative to the baseline), or the name of one task. Null is `overall`; `mean` if the metric
    cannot be pooled; `relative_error_reduction` if tasks have different metrics, or errors in different units."""


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

    run: InputPath
    """The run directory to load weights from."""
    weights: list[str] = Field(default=["trunk.*"], min_length=1)
    """Patterns of weight names: `trunk.*` for the trunk, `heads.NAME.*` for the head of a task."""


class InteractionConfig(StrictModel):
    """Measurements of task interactions during training."""

    every_n_steps: PositiveInt = 20
    """Steps between comparisons of the tasks' gradients, starting at the first step."""
    gradients: Literal["parameters", "features"] = "parameters"
    """What the gradients are with respect to: the shared `parameters` (a backward pass per task), or the `features`
    that all heads read (one pass through the heads), which requires one set of features for all tasks."""
    affinity: bool = False
    """Whether to measure how a step along one task's gradient changes other losses: a forward pass per task; with
    `gradients: features`, to first order and without further passes."""
    max_groups: Annotated[int, Field(ge=2)] = 3
    """The maximum number of networks in a suggested grouping of the main tasks."""
