from .api.compare import Comparison, compare
from .api.data import Data
from .api.metrics import MetricTable
from .api.model import Model
from .api.predictions import Predictions
from .api.report import Report
from .api.run import Run, load
from .api.task import Task
from .artifacts.run_directory import RunDirectory
from .artifacts.saved_predictions import SavedPredictions, TaskPredictions, read_predictions
from .atomic import write_atomically, write_text_atomically
from .builtins.loaders.table import Table
from .builtins.task_kinds.bag_of_words import BagOfWords
from .builtins.task_kinds.binary import Binary
from .builtins.task_kinds.classification import Classification
from .builtins.task_kinds.masked_tokens import MaskedTokens
from .builtins.task_kinds.multilabel import MultiLabel
from .builtins.task_kinds.ordinal import Ordinal
from .builtins.task_kinds.reconstruction import Reconstruction
from .builtins.task_kinds.regression import Regression
from .builtins.task_kinds.token_regression import TokenRegression
from .builtins.task_kinds.token_tagging import TokenTagging
from .builtins.weightings.modules.stateless import LossSum
from .config.load import load_experiment
from .config.paths import CacheDir, InputFile, InputPath
from .config.training import InitFrom, InteractionConfig, Selection, Training
from .data.auxiliary_data import AuxiliaryData, AuxiliaryTask
from .data.corpus import Corpus, Label
from .errors import MtlError, did_you_mean, join_names
from .nn.features import Features, FeatureShape
from .nn.task_heads import TaskHeads
from .plugins.active_registry import use_registry
from .plugins.contributions import Commands, Service
from .plugins.hookspecs import hookimpl
from .plugins.loading import Plugins, load_plugins
from .plugins.number_fields import Fraction, Probability
from .plugins.optional_packages import describe_missing_packages
from .plugins.registry import Registry
from .plugins.registry_validator import default_type
from .plugins.spec import Layout, Level
from .plugins.spec_fields import HeadField, TaskKindField, WeightingField
from .plugins.specs.auxiliary import AuxiliarySpec
from .plugins.specs.data import EncoderSpec, LoaderSpec, SamplingSpec, SplitterSpec
from .plugins.specs.fusion import FusionSpec
from .plugins.specs.network import ArchitectureSpec, BackboneSpec, HeadSpec
from .plugins.specs.tasks import ClassWeightsSpec, LossMaskSpec, LossSpec, MetricSpec, TaskKindSpec
from .plugins.specs.tracking import TrackerSpec
from .plugins.specs.training import OptimizerSpec, ScheduleSpec, WeightingSpec
from .plugins.strict_model import StrictModel
from .serving.disconnect import CLIENT_CLOSED_REQUEST, cancel_on_disconnect
from .serving.errors import ApiError, json_response
from .serving.schemas import ErrorResponse
from .serving.served_run import ServedRun
from .tracking.tracked_run import TrackedRun
from .training.backward import backward, compute_task_gradients
from .training.freeze_unlabelled import freeze_unlabelled
from .training.masked_losses import MaskedLosses
from .training.named_losses import NamedLosses
from .training.task_weighting import TaskWeighting

__version__: str

__all__ = [
    "CLIENT_CLOSED_REQUEST",
    "ApiError",
    "ArchitectureSpec",
    "AuxiliaryData",
    "AuxiliarySpec",
    "AuxiliaryTask",
    "BackboneSpec",
    "BagOfWords",
    "Binary",
    "CacheDir",
    "ClassWeightsSpec",
    "Classification",
    "Commands",
    "Comparison",
    "Corpus",
    "Data",
    "EncoderSpec",
    "ErrorResponse",
    "FeatureShape",
    "Features",
    "Fraction",
    "FusionSpec",
    "HeadField",
    "HeadSpec",
    "InitFrom",
    "InputFile",
    "InputPath",
    "InteractionConfig",
    "Label",
    "Layout",
    "Level",
    "LoaderSpec",
    "LossMaskSpec",
    "LossSpec",
    "LossSum",
    "MaskedLosses",
    "MaskedTokens",
    "MetricSpec",
    "MetricTable",
    "Model",
    "MtlError",
    "MultiLabel",
    "NamedLosses",
    "OptimizerSpec",
    "Ordinal",
    "Plugins",
    "Predictions",
    "Probability",
    "Reconstruction",
    "Registry",
    "Regression",
    "Report",
    "Run",
    "RunDirectory",
    "SamplingSpec",
    "SavedPredictions",
    "ScheduleSpec",
    "Selection",
    "ServedRun",
    "Service",
    "SplitterSpec",
    "StrictModel",
    "Table",
    "Task",
    "TaskHeads",
    "TaskKindField",
    "TaskKindSpec",
    "TaskPredictions",
    "TaskWeighting",
    "TokenRegression",
    "TokenTagging",
    "TrackedRun",
    "TrackerSpec",
    "Training",
    "WeightingField",
    "WeightingSpec",
    "backward",
    "cancel_on_disconnect",
    "compare",
    "compute_task_gradients",
    "default_type",
    "describe_missing_packages",
    "did_you_mean",
    "freeze_unlabelled",
    "hookimpl",
    "join_names",
    "json_response",
    "load",
    "load_experiment",
    "load_plugins",
    "read_predictions",
    "use_registry",
    "write_atomically",
    "write_text_atomically",
]
