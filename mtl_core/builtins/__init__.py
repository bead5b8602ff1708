"""The built-in components, registered through the same hooks as every plugin."""

from mtl_core.builtins.architectures.hard_sharing import HardSharing
from mtl_core.builtins.architectures.soft_sharing import SoftSharing
from mtl_core.builtins.backbones.identity import Identity
from mtl_core.builtins.backbones.mlp import MLP
from mtl_core.builtins.backbones.module import ModuleBackbone
from mtl_core.builtins.class_weights import Balanced, ExplicitWeights, Unweighted
from mtl_core.builtins.encoders.array import ArrayEncoder
from mtl_core.builtins.encoders.category import Category, MultiCategory
from mtl_core.builtins.encoders.columns import Columns
from mtl_core.builtins.encoders.date import Date
from mtl_core.builtins.encoders.number import Number
from mtl_core.builtins.encoders.sparse import Sparse
from mtl_core.builtins.fusions.broadcast import Broadcast
from mtl_core.builtins.fusions.concatenate import Concatenate
from mtl_core.builtins.fusions.gated import Gated
from mtl_core.builtins.heads.dense_conv import DenseConv
from mtl_core.builtins.heads.linear import Linear
from mtl_core.builtins.heads.module import ModuleHead
from mtl_core.builtins.heads.sequence_decoder import SequenceDecoder
from mtl_core.builtins.heads.token_linear import TokenLinear
from mtl_core.builtins.loaders.memory import Memory
from mtl_core.builtins.loaders.table import Table
from mtl_core.builtins.loss_masks import ExcludeLabels, Observed
from mtl_core.builtins.losses.cosine import CosineDistance
from mtl_core.builtins.losses.cross_entropy import CrossEntropy
from mtl_core.builtins.losses.focal import Focal
from mtl_core.builtins.losses.regression import AbsoluteError, Huber, SquaredError
from mtl_core.builtins.metrics.accuracy import Accuracy
from mtl_core.builtins.metrics.angle_error import AngleError, WithinAngle
from mtl_core.builtins.metrics.confusion_matrix import Confusion
from mtl_core.builtins.metrics.detection import DetectionF1, DetectionPrecision, DetectionRecall, JointF1
from mtl_core.builtins.metrics.exact_match import ExactMatch
from mtl_core.builtins.metrics.log_loss import LogLoss
from mtl_core.builtins.metrics.macro_f1 import MacroF1
from mtl_core.builtins.metrics.mean_error import MAE, RMSE
from mtl_core.builtins.metrics.mean_iou import MeanIoU, PixelAccuracy
from mtl_core.builtins.metrics.micro_f1 import MicroF1
from mtl_core.builtins.metrics.quadratic_kappa import QuadraticKappa
from mtl_core.builtins.metrics.r2 import R2
from mtl_core.builtins.metrics.rank_distance import RankDistance
from mtl_core.builtins.metrics.ranking import AveragePrecision, RocAuc
from mtl_core.builtins.metrics.relative_error import AbsRel
from mtl_core.builtins.metrics.restricted_accuracy import RestrictedAccuracy
from mtl_core.builtins.metrics.spearman import Spearman
from mtl_core.builtins.optimizers import SGD, Adam, AdamW
from mtl_core.builtins.samplings import Annealed, Proportional, RoundRobin, Temperature, Uniform
from mtl_core.builtins.schedules import Constant, Cosine, LinearDecay
from mtl_core.builtins.splitters.group_split import GroupSplit
from mtl_core.builtins.splitters.k_fold import KFold
from mtl_core.builtins.splitters.predefined import Predefined
from mtl_core.builtins.splitters.random_split import RandomSplit
from mtl_core.builtins.splitters.stratified import Stratified
from mtl_core.builtins.splitters.time_split import TimeSplit
from mtl_core.builtins.task_kinds.bag_of_words import BagOfWords
from mtl_core.builtins.task_kinds.binary import Binary
from mtl_core.builtins.task_kinds.classification import Classification
from mtl_core.builtins.task_kinds.dense_regression import DenseRegression
from mtl_core.builtins.task_kinds.detection import DetectAndClassify
from mtl_core.builtins.task_kinds.masked_tokens import MaskedTokens
from mtl_core.builtins.task_kinds.multilabel import MultiLabel
from mtl_core.builtins.task_kinds.ordinal import Ordinal
from mtl_core.builtins.task_kinds.reconstruction import Reconstruction
from mtl_core.builtins.task_kinds.regression import Regression
from mtl_core.builtins.task_kinds.segmentation import Segmentation
from mtl_core.builtins.task_kinds.token_regression import TokenRegression
from mtl_core.builtins.task_kinds.token_tagging import TokenTagging
from mtl_core.builtins.trackers.mlflow import MLflow
from mtl_core.builtins.trackers.tensorboard import TensorBoard
from mtl_core.builtins.trackers.wandb import WandB
from mtl_core.builtins.weightings.dwa import DynamicWeightAverage
from mtl_core.builtins.weightings.famo import FAMO
from mtl_core.builtins.weightings.geometric import Geometric
from mtl_core.builtins.weightings.gradnorm import GradNorm
from mtl_core.builtins.weightings.label_count import LabelCount
from mtl_core.builtins.weightings.random_weights import Random
from mtl_core.builtins.weightings.smooth_tchebycheff import SmoothTchebycheff
from mtl_core.builtins.weightings.uncertainty import Uncertainty
from mtl_core.builtins.weightings.weighted_sum import WeightedSum
from mtl_core.plugins import specs
from mtl_core.plugins.hookspecs import hookimpl


@hookimpl
def mtl_loaders() -> list[type[specs.LoaderSpec]]:
    return [Table, Memory]


@hookimpl
def mtl_splitters() -> list[type[specs.SplitterSpec]]:
    return [Stratified, RandomSplit, GroupSplit, TimeSplit, KFold, Predefined]


@hookimpl
def mtl_encoders() -> list[type[specs.EncoderSpec]]:
    return [ArrayEncoder, Sparse, Number, Category, MultiCategory, Date, Columns]


@hookimpl
def mtl_fusions() -> list[type[specs.FusionSpec]]:
    return [Concatenate, Broadcast, Gated]


@hookimpl
def mtl_backbones() -> list[type[specs.BackboneSpec]]:
    return [MLP, Identity, ModuleBackbone]


@hookimpl
def mtl_heads() -> list[type[specs.HeadSpec]]:
    return [Linear, TokenLinear, SequenceDecoder, DenseConv, ModuleHead]


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
        Segmentation,
        DenseRegression,
        Reconstruction,
        MaskedTokens,
        BagOfWords,
    ]


@hookimpl
def mtl_losses() -> list[type[specs.LossSpec]]:
    return [CrossEntropy, Focal, SquaredError, AbsoluteError, Huber, CosineDistance]


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
        RocAuc,
        AveragePrecision,
        LogLoss,
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
        Spearman,
        MeanIoU,
        PixelAccuracy,
        AbsRel,
        AngleError,
        WithinAngle,
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
