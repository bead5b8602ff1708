"""The check that all parts of an experiment can be found again when its run is loaded."""

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.iterate_specs import iterate_specs
from mtl_core.errors import MtlError
from mtl_core.plugins.active_registry import get_registry
from mtl_core.plugins.loading import load_plugins
from mtl_core.plugins.python_parts import find_extension_point
from mtl_core.plugins.registry import Registry, find_unregistered_parts


def check_registered(config: ExperimentConfig) -> None:
    """Check, before training, that each spec of an experiment is registered by a plugin or handed in from Python.

    Raises:
        MtlError: If a spec is not registered: its run could not be loaded.
    """
    specs = list(dict.fromkeys(type(spec) for spec in iterate_specs(config)))
    unregistered = find_unregistered_parts(get_registry(None), specs)
    if unregistered:
        unregistered = find_unregistered_parts(Registry(load_plugins(config.plugins)), unregistered)
    for spec in specs:
        if spec in unregistered:
            raise MtlError(
                f"the {find_extension_point(spec).noun} '{spec.type_name()}' (class {spec.__qualname__}) is registered "
                "by no plugin, so a run of it could not be loaded; name its plugin in `plugins:`, or train it with "
                f"`mtl.Model(…).fit(data)` and load the run with `mtl.load(path, parts=[{spec.__name__}])`"
            )
