"""Validate a search space before training: the experiment must accept each value of each key on its own."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import Experiment, input_flaw
from mtl_core.config.messages import flaw
from mtl_core.config.paths import input_paths
from mtl_core.config.yaml_file import Loc
from mtl_core.errors import MtlError
from mtl_core.sweeps.measured import first_change
from mtl_core.sweeps.space import Choices, Drawn, Integer, Parameter, Range, label, probes
from mtl_core.sweeps.variants import Variants

FIXED = {"version", "name", "plugins", "interactions", "trackers", "sweep"}
"""Keys that do not affect training."""


def check_space(experiment: Experiment) -> Variants:
    """Validate the experiment with both ends of each range and with every choice.

    Returns:
        The search space of the experiment.

    Raises:
        MtlError: If the experiment has no `sweep:` block, a key is unknown or cannot be searched, or the experiment
            refuses a value; the message lists all errors.
    """
    sweep = experiment.config.sweep
    if sweep is None:
        raise MtlError(f"{experiment.source.path}: has no `sweep:` block, so there is nothing to search")
    variants = Variants(experiment, sweep)
    flaws: list[str] = []
    own: dict[str, Drawn] = {}
    shown: dict[str, str] = {}
    for key, parameter in sweep.space.items():
        if key.split(".")[0] in FIXED:
            where = variants.where(key)
            flaws.append(f"{where}: '{key}' does not affect training, so it cannot be searched")
            continue
        built: dict[Loc, ExperimentConfig] = {}
        for place, value in probes(parameter).items():
            flaws += _try(variants, key, place, value, built)
        value = _at(experiment.config, key)
        drawn = _drawn(variants, parameter, value, built)
        if drawn is not None:
            own[key] = drawn
        shown[key] = _text(value) if drawn is None else str(drawn)
    if flaws:
        raise MtlError("\n".join(dict.fromkeys(flaws)))
    return replace(variants, own=own, shown=shown)


def _try(variants: Variants, key: str, place: Loc, value: Any, built: dict[Loc, ExperimentConfig]) -> Iterator[str]:
    """Yield the errors of one value; add the resulting experiment to `built`."""
    try:
        config = variants.build({key: value})
    except ValidationError as error:
        yield from _explain(error, variants, key, place, value)
        return
    except MtlError as error:  # the key does not exist; the message contains its location
        yield str(error)
        return
    if changed := first_change(variants.unchanged, config):
        yield (
            f"{variants.where(key)}: changes {changed}, and with it what is measured; "
            "the scores of trials could not be compared"
        )
    same = next((other for other, twin in built.items() if twin == config and "choices" in other), None)
    if same is not None:
        yield f"{variants.where(key, place)}: {label(value)} is the same as {'.'.join(map(str, same))}"
    known = input_paths(variants.unchanged)
    for _, path, must_be_file in (found for found in input_paths(config) if found not in known):
        if missing := input_flaw(path, must_be_file):
            yield f"{variants.where(key, place)}: {missing}"
    built[place] = config


def _explain(error: ValidationError, variants: Variants, key: str, place: Loc, value: Any) -> Iterator[str]:
    file = variants.experiment.source.path.name
    for line in error.errors(include_url=False):
        loc = ".".join(map(str, line["loc"]))
        what = flaw(dict(line), loc, file)
        if line["type"] == "unknown_key" and loc == key:
            yield f"{variants.where(key)}: {what}"
        else:
            at = "" if loc in {key, ""} else f"{loc}: "
            yield f"{variants.where(key, place)}: the experiment refuses {label(value)}: {at}{what}"


def _drawn(
    variants: Variants, parameter: Parameter, value: Any, built: Mapping[Loc, ExperimentConfig]
) -> Drawn | None:
    """Return the experiment's own value as a sampled value; None if the space does not contain it."""
    if not isinstance(parameter, Choices):
        return value if _holds(parameter, value) else None
    own = (place for place, config in built.items() if config == variants.unchanged)
    return next((label(parameter.choices[int(place[-1])]) for place in own), None)


def _holds(parameter: Range, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    on_step = not isinstance(parameter, Integer) or (value - parameter.low) % parameter.step == 0
    return parameter.low <= value <= parameter.high and on_step


def _at(config: ExperimentConfig, key: str) -> Any:
    """Return the value at a dotted key; None if there is none."""
    value: Any = config
    for step in key.split("."):
        if isinstance(value, BaseModel):
            value = getattr(value, step) if step in type(value).model_fields else None
        elif isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def _text(value: Any) -> str:
    if value is None:
        return ""
    return label(value.model_dump(mode="json") if isinstance(value, BaseModel) else value)
