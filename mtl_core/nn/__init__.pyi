from .architecture import Architecture, NetworkParts, validate_features
from .features import Features, FeatureShape
from .group_labels import GroupLabels
from .heads import HeadGroup, HeadOutput
from .packed_rnn import PackedRNN
from .sparse_linear import SparseBatch, SparseLinear
from .task_features import TaskFeatures
from .task_keys import build_task_keys
from .task_kind import LabelPrediction, PredictedArrays, TaskKind

__all__ = [
    "Architecture",
    "FeatureShape",
    "Features",
    "GroupLabels",
    "HeadGroup",
    "HeadOutput",
    "LabelPrediction",
    "NetworkParts",
    "PackedRNN",
    "PredictedArrays",
    "SparseBatch",
    "SparseLinear",
    "TaskFeatures",
    "TaskKind",
    "build_task_keys",
    "validate_features",
]
