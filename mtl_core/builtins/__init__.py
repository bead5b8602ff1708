"""The parts that come with the core. They register like anyone's plugin."""

from mtl_core import specs
from mtl_core.builtins.backbones import MLP, Identity
from mtl_core.builtins.class_weights import Balanced, GivenWeights, Unweighted
from mtl_core.builtins.classification import Classification
from mtl_core.builtins.encoders import ArrayEncoder
from mtl_core.builtins.heads import Linear
from mtl_core.builtins.loss_masks import ExcludeLabels, Observed
from mtl_core.builtins.losses import CrossEntropy, Focal
from mtl_core.builtins.metrics import Accuracy, Confusion, MacroF1, RestrictedAccuracy
from mtl_core.builtins.optimizers import SGD, Adam, AdamW
from mtl_core.builtins.schedules import Constant, Cosine, LinearDecay
from mtl_core.builtins.splitters import KFold, Predefined, RandomSplit, Stratified
from mtl_core.builtins.weightings import ByLabels, Static
from mtl_core.hookspecs import hookimpl


@hookimpl
def mtl_splitters() -> list[type[specs.SplitterSpec]]:
    return [Stratified, RandomSplit, KFold, Predefined]


@hookimpl
def mtl_encoders() -> list[type[specs.EncoderSpec]]:
    return [ArrayEncoder]


@hookimpl
def mtl_backbones() -> list[type[specs.BackboneSpec]]:
    return [MLP, Identity]


@hookimpl
def mtl_heads() -> list[type[specs.HeadSpec]]:
    return [Linear]


@hookimpl
def mtl_task_kinds() -> list[type[specs.TaskKindSpec]]:
    return [Classification]


@hookimpl
def mtl_losses() -> list[type[specs.LossSpec]]:
    return [CrossEntropy, Focal]


@hookimpl
def mtl_loss_masks() -> list[type[specs.LossMaskSpec]]:
    return [Observed, ExcludeLabels]


@hookimpl
def mtl_class_weights() -> list[type[specs.ClassWeightsSpec]]:
    return [Unweighted, Balanced, GivenWeights]


@hookimpl
def mtl_metrics() -> list[type[specs.MetricSpec]]:
    return [Accuracy, MacroF1, Confusion, RestrictedAccuracy]


@hookimpl
def mtl_weightings() -> list[type[specs.WeightingSpec]]:
    return [Static, ByLabels]


@hookimpl
def mtl_optimizers() -> list[type[specs.OptimizerSpec]]:
    return [Adam, AdamW, SGD]


@hookimpl
def mtl_schedules() -> list[type[specs.ScheduleSpec]]:
    return [Constant, LinearDecay, Cosine]
