"""The built-in components, registered through the same hooks as every plugin."""

from mtl_core.builtins.architectures import HardSharing, SoftSharing
from mtl_core.builtins.backbones import MLP, Identity
from mtl_core.builtins.class_weights import Balanced, ExplicitWeights, Unweighted
from mtl_core.builtins.detection_metrics import DetectionF1, DetectionPrecision, DetectionRecall, JointF1
from mtl_core.builtins.encoders import ArrayEncoder
from mtl_core.builtins.heads import Linear, SequenceDecoder, TokenLinear
from mtl_core.builtins.loss_masks import ExcludeLabels, Observed
from mtl_core.builtins.losses import AbsoluteError, CrossEntropy, Focal, Huber, SquaredError
from mtl_core.builtins.metrics import Accuracy, Confusion, MacroF1, QuadraticKappa, RankDistance, RestrictedAccuracy
from mtl_core.builtins.more_metrics import MAE, R2, RMSE, ExactMatch, MicroF1
from mtl_core.builtins.optimizers import SGD, Adam, AdamW
from mtl_core.builtins.samplings import Annealed, Proportional, RoundRobin, Temperature, Uniform
from mtl_core.builtins.schedules import Constant, Cosine, LinearDecay
from mtl_core.builtins.splitters import KFold, Predefined, RandomSplit, Stratified
from mtl_core.builtins.table import Table
from mtl_core.builtins.task_kinds.classification import Classification, TokenTagging
from mtl_core.builtins.task_kinds.detection import DetectAndClassify
from mtl_core.builtins.task_kinds.multilabel import MultiLabel
from mtl_core.builtins.task_kinds.regression import Regression, TokenRegression
from mtl_core.builtins.task_kinds.self_supervised import BagOfWords, MaskedTokens, Reconstruction
from mtl_core.builtins.task_kinds.two_and_ordered import Binary, Ordinal
from mtl_core.builtins.trackers import MLflow, TensorBoard, WandB
from mtl_core.builtins.weightings import (
    FAMO,
    DynamicWeightAverage,
    Geometric,
    GradNorm,
    LabelCount,
    Random,
    SmoothTchebycheff,
    Uncertainty,
    WeightedSum,
)
from mtl_core.plugins import specs
from mtl_core.plugins.hookspecs import hookimpl


@hookimpl
def mtl_loaders() -> list[type[specs.LoaderSpec]]:
    return [Table]


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
    return [Linear, TokenLinear, SequenceDecoder]


@hookimpl
def mtl_task_kinds() -> list[type[specs.TaskKindSpec]]:
    return [
        Binary,
        Classification,
        DetectAndClassify,
        MultiLabel,
        Ordinal,
        Regression,
        TokenTagging,
        TokenRegression,
        Reconstruction,
        MaskedTokens,
        BagOfWords,
    ]


@hookimpl
def mtl_losses() -> list[type[specs.LossSpec]]:
    return [CrossEntropy, Focal, SquaredError, AbsoluteError, Huber]


@hookimpl
def mtl_loss_masks() -> list[type[specs.LossMaskSpec]]:
    return [Observed, ExcludeLabels]


@hookimpl
def mtl_class_weights() -> list[type[specs.ClassWeightsSpec]]:
    return [Unweighted, Balanced, ExplicitWeights]


@hookimpl
def mtl_metrics() -> list[type[specs.MetricSpec]]:
    return [
        Accuracy,
        MacroF1,
        Confusion,
        RestrictedAccuracy,
        RankDistance,
        QuadraticKappa,
        MicroF1,
        ExactMatch,
        DetectionF1,
        DetectionPrecision,
        DetectionRecall,
        JointF1,
        MAE,
        RMSE,
        R2,
    ]


@hookimpl
def mtl_weightings() -> list[type[specs.WeightingSpec]]:
    return [
        WeightedSum,
        LabelCount,
        Uncertainty,
        DynamicWeightAverage,
        Random,
        Geometric,
        GradNorm,
        FAMO,
        SmoothTchebycheff,
    ]


@hookimpl
def mtl_optimizers() -> list[type[specs.OptimizerSpec]]:
    return [Adam, AdamW, SGD]


@hookimpl
def mtl_schedules() -> list[type[specs.ScheduleSpec]]:
    return [Constant, LinearDecay, Cosine]


@hookimpl
def mtl_architectures() -> list[type[specs.ArchitectureSpec]]:
    return [HardSharing, SoftSharing]


@hookimpl
def mtl_samplings() -> list[type[specs.SamplingSpec]]:
    return [Proportional, Uniform, RoundRobin, Temperature, Annealed]


@hookimpl
def mtl_trackers() -> list[type[specs.TrackerSpec]]:
    return [TensorBoard, MLflow, WandB]
