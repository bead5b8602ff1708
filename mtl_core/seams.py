"""The extension points: for each, its hook, the base class of its specs, and its name in messages."""

from dataclasses import dataclass

from mtl_core import specs


@dataclass(frozen=True)
class Seam:
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


SEAMS: dict[str, Seam] = {
    seam.name: seam
    for seam in (
        Seam("loaders", "loader", specs.LoaderSpec),
        Seam("splitters", "splitter", specs.SplitterSpec),
        Seam("encoders", "encoder", specs.EncoderSpec),
        Seam("backbones", "backbone", specs.BackboneSpec),
        Seam("heads", "head", specs.HeadSpec),
        Seam("task_kinds", "task kind", specs.TaskKindSpec),
        Seam("losses", "loss", specs.LossSpec),
        Seam("loss_masks", "loss mask", specs.LossMaskSpec),
        Seam("class_weights", "class weights", specs.ClassWeightsSpec),
        Seam("metrics", "metric", specs.MetricSpec),
        Seam("weightings", "weighting", specs.WeightingSpec),
        Seam("optimizers", "optimizer", specs.OptimizerSpec),
        Seam("schedules", "schedule", specs.ScheduleSpec),
        Seam("architectures", "architecture", specs.ArchitectureSpec),
        Seam("samplings", "sampling strategy", specs.SamplingSpec),
        Seam("trackers", "tracker", specs.TrackerSpec),
        Seam("auxiliary_tasks", "auxiliary task", specs.AuxiliarySpec),
    )
}
