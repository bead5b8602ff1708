"""Pydantic field types of blocks whose `type:` selects a spec from the registry."""

from typing import Annotated

from pydantic import SerializeAsAny

from mtl_core import specs
from mtl_core.config.by_registry import SeamMark, by_registry

LoaderField = Annotated[SerializeAsAny[specs.LoaderSpec], by_registry("loaders"), SeamMark("loaders")]
SplitterField = Annotated[SerializeAsAny[specs.SplitterSpec], by_registry("splitters"), SeamMark("splitters")]
EncoderField = Annotated[SerializeAsAny[specs.EncoderSpec], by_registry("encoders"), SeamMark("encoders")]
BackboneField = Annotated[SerializeAsAny[specs.BackboneSpec], by_registry("backbones"), SeamMark("backbones")]
HeadField = Annotated[SerializeAsAny[specs.HeadSpec], by_registry("heads"), SeamMark("heads")]
TaskKindField = Annotated[SerializeAsAny[specs.TaskKindSpec], by_registry("task_kinds"), SeamMark("task_kinds")]
LossField = Annotated[SerializeAsAny[specs.LossSpec], by_registry("losses"), SeamMark("losses")]
LossMaskField = Annotated[SerializeAsAny[specs.LossMaskSpec], by_registry("loss_masks"), SeamMark("loss_masks")]
ClassWeightsField = Annotated[
    SerializeAsAny[specs.ClassWeightsSpec], by_registry("class_weights"), SeamMark("class_weights")
]
MetricField = Annotated[SerializeAsAny[specs.MetricSpec], by_registry("metrics"), SeamMark("metrics")]
WeightingField = Annotated[SerializeAsAny[specs.WeightingSpec], by_registry("weightings"), SeamMark("weightings")]
OptimizerField = Annotated[SerializeAsAny[specs.OptimizerSpec], by_registry("optimizers"), SeamMark("optimizers")]
ArchitectureField = Annotated[
    SerializeAsAny[specs.ArchitectureSpec], by_registry("architectures"), SeamMark("architectures")
]
SamplingField = Annotated[SerializeAsAny[specs.SamplingSpec], by_registry("samplings"), SeamMark("samplings")]
TrackerField = Annotated[SerializeAsAny[specs.TrackerSpec], by_registry("trackers"), SeamMark("trackers")]
AuxiliaryField = Annotated[
    SerializeAsAny[specs.AuxiliarySpec], by_registry("auxiliary_tasks"), SeamMark("auxiliary_tasks")
]
ScheduleField = specs.ScheduleField
