"""The extension points: for each, its hook, the base class of its specs, and its name in messages."""

from dataclasses import dataclass

from mtl_core.plugins import specs


@dataclass(frozen=True)
class ExtensionPoint:
    """A kind of part that plugins can provide.

    Attributes:
        name: Plural, as in the hook's name: `backbones` for `mtl_backbones`.
        noun: The name of one part in messages.
        base: The base class of all specs of this extension point.
    """

    name: str
    noun: str
    base: type[specs.Spec]

    @property
    def hook(self) -> str:
        """The name of the hook."""
        return f"mtl_{self.name}"


EXTENSION_POINTS: dict[str, ExtensionPoint] = {
    seam.name: seam
    for seam in (
        ExtensionPoint("loaders", "loader", specs.LoaderSpec),
        ExtensionPoint("splitters", "splitter", specs.SplitterSpec),
        ExtensionPoint("encoders", "encoder", specs.EncoderSpec),
        ExtensionPoint("backbones", "backbone", specs.BackboneSpec),
        ExtensionPoint("heads", "head", specs.HeadSpec),
        ExtensionPoint("task_kinds", "task kind", specs.TaskKindSpec),
        ExtensionPoint("losses", "loss", specs.LossSpec),
        ExtensionPoint("loss_masks", "loss mask", specs.LossMaskSpec),
        ExtensionPoint("class_weights", "class weights", specs.ClassWeightsSpec),
        ExtensionPoint("metrics", "metric", specs.MetricSpec),
        ExtensionPoint("weightings", "weighting", specs.WeightingSpec),
        ExtensionPoint("optimizers", "optimizer", specs.OptimizerSpec),
        ExtensionPoint("schedules", "schedule", specs.ScheduleSpec),
        ExtensionPoint("architectures", "architecture", specs.ArchitectureSpec),
        ExtensionPoint("samplings", "sampling strategy", specs.SamplingSpec),
        ExtensionPoint("trackers", "tracker", specs.TrackerSpec),
        ExtensionPoint("auxiliary_tasks", "auxiliary task", specs.AuxiliarySpec),
    )
}
