"""Multi-task learning with plugins: one network for many tasks, declared in YAML.

This module exports what a plugin needs: `hookimpl`, the spec classes, `Corpus`, `MtlError`. It imports no torch.
"""

from mtl_core.config.paths import InputFile, InputPath
from mtl_core.data.auxiliary_data import AuxiliaryData, AuxiliaryTask
from mtl_core.data.corpus import Corpus, Label
from mtl_core.errors import MtlError
from mtl_core.nn.features import Features, FeatureShape
from mtl_core.plugins.contributions import Commands, Service
from mtl_core.plugins.hookspecs import hookimpl
from mtl_core.plugins.registry_validator import default_type
from mtl_core.plugins.spec_fields import HeadField
from mtl_core.plugins.specs import (
    ArchitectureSpec,
    AuxiliarySpec,
    BackboneSpec,
    ClassWeightsSpec,
    EncoderSpec,
    HeadSpec,
    LoaderSpec,
    LossMaskSpec,
    LossSpec,
    MetricSpec,
    OptimizerSpec,
    SamplingSpec,
    ScheduleSpec,
    SplitterSpec,
    TaskKindSpec,
    TrackerSpec,
    WeightingSpec,
)
from mtl_core.tracking.tracked_run import TrackedRun

__version__ = "0.1.0"

__all__ = [
    "ArchitectureSpec",
    "AuxiliaryData",
    "AuxiliarySpec",
    "AuxiliaryTask",
    "BackboneSpec",
    "ClassWeightsSpec",
    "Commands",
    "Corpus",
    "EncoderSpec",
    "FeatureShape",
    "Features",
    "HeadField",
    "HeadSpec",
    "InputFile",
    "InputPath",
    "Label",
    "LoaderSpec",
    "LossMaskSpec",
    "LossSpec",
    "MetricSpec",
    "MtlError",
    "OptimizerSpec",
    "SamplingSpec",
    "ScheduleSpec",
    "Service",
    "SplitterSpec",
    "TaskKindSpec",
    "TrackedRun",
    "TrackerSpec",
    "WeightingSpec",
    "default_type",
    "hookimpl",
]
