"""The extension points: for each, its hook, the base class of its specs, and its name in messages."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from mtl_core.plugins.spec import Spec

SpecBase = TypeVar("SpecBase", bound=type[Spec])
_BASES: dict[str, type[Spec]] = {}


@dataclass(frozen=True)
class ExtensionPoint:
    """A kind of part that plugins can provide.

    Attributes:
        name: Plural, as in the hook's name: `backbones` for `mtl_backbones`.
        noun: The name of one part in messages.
    """

    name: str
    noun: str

    @property
    def hook(self) -> str:
        """The name of the hook."""
        return f"mtl_{self.name}"

    @property
    def base(self) -> type[Spec]:
        """The base class of all specs of this extension point."""
        return _BASES[self.name]


EXTENSION_POINTS: dict[str, ExtensionPoint] = {
    name: ExtensionPoint(name, noun)
    for name, noun in {
        "loaders": "loader",
        "splitters": "splitter",
        "encoders": "encoder",
        "fusions": "fusion",
        "backbones": "backbone",
        "heads": "head",
        "task_kinds": "task kind",
        "losses": "loss",
        "loss_masks": "loss mask",
        "class_weights": "class weights",
        "metrics": "metric",
        "weightings": "weighting",
        "optimizers": "optimizer",
        "schedules": "schedule",
        "architectures": "architecture",
        "samplings": "sampling strategy",
        "trackers": "tracker",
        "auxiliary_tasks": "auxiliary task",
    }.items()
}


def spec_base(extension_point: str) -> Callable[[SpecBase], SpecBase]:
    """Build a class decorator that makes a class the base class of the specs of an extension point."""

    def register(base: SpecBase) -> SpecBase:
        _BASES[extension_point] = base
        return base

    return register
