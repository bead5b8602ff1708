"""The base classes of all specs that a plugin can provide."""

from mtl_core.plugins.spec import LAYOUTS, LEVELS, Layout, Level, Spec
from mtl_core.plugins.specs.auxiliary import AuxiliarySpec, ScheduleField
from mtl_core.plugins.specs.data import EncoderSpec, LoaderSpec, SamplingSpec, SplitterSpec
from mtl_core.plugins.specs.fusion import FusionSpec
from mtl_core.plugins.specs.network import ArchitectureSpec, BackboneSpec, HeadSpec
from mtl_core.plugins.specs.tasks import ClassWeightsSpec, LossMaskSpec, LossSpec, MetricSpec, TaskKindSpec
from mtl_core.plugins.specs.tracking import TrackerSpec
from mtl_core.plugins.specs.training import OptimizerSpec, ScheduleSpec, WeightingSpec

__all__ = [
    "LAYOUTS",
    "LEVELS",
    "ArchitectureSpec",
    "AuxiliarySpec",
    "BackboneSpec",
    "ClassWeightsSpec",
    "EncoderSpec",
    "FusionSpec",
    "HeadSpec",
    "Layout",
    "Level",
    "LoaderSpec",
    "LossMaskSpec",
    "LossSpec",
    "MetricSpec",
    "OptimizerSpec",
    "SamplingSpec",
    "ScheduleField",
    "ScheduleSpec",
    "Spec",
    "SplitterSpec",
    "TaskKindSpec",
    "TrackerSpec",
    "WeightingSpec",
]
