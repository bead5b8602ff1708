"""Pydantic field types of blocks whose `type:` selects a spec from the registry."""

from typing import Annotated

from pydantic import SerializeAsAny

from mtl_core.plugins import specs
from mtl_core.plugins.registry_validator import ExtensionPointMark, registry_validator

LoaderField = Annotated[SerializeAsAny[specs.LoaderSpec], registry_validator("loaders"), ExtensionPointMark("loaders")]
SplitterField = Annotated[
    SerializeAsAny[specs.SplitterSpec], registry_validator("splitters"), ExtensionPointMark("splitters")
]
EncoderField = Annotated[
    SerializeAsAny[specs.EncoderSpec], registry_validator("encoders"), ExtensionPointMark("encoders")
]
FusionField = Annotated[SerializeAsAny[specs.FusionSpec], registry_validator("fusions"), ExtensionPointMark("fusions")]
BackboneField = Annotated[
    SerializeAsAny[specs.BackboneSpec], registry_validator("backbones"), ExtensionPointMark("backbones")
]
HeadField = Annotated[SerializeAsAny[specs.HeadSpec], registry_validator("heads"), ExtensionPointMark("heads")]
TaskKindField = Annotated[
    SerializeAsAny[specs.TaskKindSpec], registry_validator("task_kinds"), ExtensionPointMark("task_kinds")
]
LossField = Annotated[SerializeAsAny[specs.LossSpec], registry_validator("losses"), ExtensionPointMark("losses")]
LossMaskField = Annotated[
    SerializeAsAny[specs.LossMaskSpec], registry_validator("loss_masks"), ExtensionPointMark("loss_masks")
]
ClassWeightsField = Annotated[
    SerializeAsAny[specs.ClassWeightsSpec], registry_validator("class_weights"), ExtensionPointMark("class_weights")
]
MetricField = Annotated[SerializeAsAny[specs.MetricSpec], registry_validator("metrics"), ExtensionPointMark("metrics")]
WeightingField = Annotated[
    SerializeAsAny[specs.WeightingSpec], registry_validator("weightings"), ExtensionPointMark("weightings")
]
OptimizerField = Annotated[
    SerializeAsAny[specs.OptimizerSpec], registry_validator("optimizers"), ExtensionPointMark("optimizers")
]
ArchitectureField = Annotated[
    SerializeAsAny[specs.ArchitectureSpec], registry_validator("architectures"), ExtensionPointMark("architectures")
]
SamplingField = Annotated[
    SerializeAsAny[specs.SamplingSpec], registry_validator("samplings"), ExtensionPointMark("samplings")
]
TrackerField = Annotated[
    SerializeAsAny[specs.TrackerSpec], registry_validator("trackers"), ExtensionPointMark("trackers")
]
AuxiliaryField = Annotated[
    SerializeAsAny[specs.AuxiliarySpec],
    registry_validator("auxiliary_tasks"),
    ExtensionPointMark("auxiliary_tasks"),
]
ScheduleField = specs.ScheduleField
