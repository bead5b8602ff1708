"""Validate a search space before training: the experiment must accept each value of each key on its own."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import BaseModel, ValidationError

from mtl_core.config.experiment import ExperimentConfig
from mtl_core.config.load import Experiment, validate_input_path
from mtl_core.config.overrides import get_value
from mtl_core.config.paths import input_paths
from mtl_core.config.sweep import Choices, Integer, Parameter, ParamValue, Range, format_label, get_probe_values
from mtl_core.config.validation_messages import list_errors
from mtl_core.config.yaml_file import Loc
from mtl_core.errors import MtlError
from mtl_core.experiments.evaluation_settings import find_first_change
from mtl_core.experiments.sweep.search_space import SearchSpace

UNSEARCHABLE_KEYS = {"version", "name", "plugins", "interactions", "trackers", "sweep"}
"""Keys that do not affect training."""


def validate_space(experiment: Experiment) -> SearchSpace:
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
    search_space = SearchSpace(experiment, sweep)
    validation_errors: list[str] = []
    baseline_params: dict[str, ParamValue] = {}
    baseline_texts: dict[str, str] = {}
    for key, parameter in sweep.space.items():
        if key.split(".")[0] in UNSEARCHABLE_KEYS:
            location = search_space.format_location(key)
            validation_errors.append(f"{location}: '{key}' does not affect training, so it cannot be searched")
            continue
        configs_by_location: dict[Loc, ExperimentConfig] = {}
        for probe_location, value in get_probe_values(parameter).items():
            validation_errors += _validate_value(search_space, key, probe_location, value, configs_by_location)
        value = get_value(experiment.config, key)
        param_value = _find_baseline_param(search_space, parameter, value, configs_by_location)
        if param_value is not None:
            baseline_params[key] = param_value
        baseline_texts[key] = _format_value(value) if param_value is None else str(param_value)
    if validation_errors:
        raise MtlError("\n".join(dict.fromkeys(validation_errors)))
    return replace(search_space, baseline_params=baseline_params, baseline_texts=baseline_texts)


def _validate_value(
    search_space: SearchSpace, key: str, location: Loc, value: Any, configs_by_location: dict[Loc, ExperimentConfig]
) -> Iterator[str]:
    """Yield the errors of one value; add the resulting experiment to `configs_by_location`."""
    try:
        config = search_space.build({key: value})
    except ValidationError as error:
        yield from _explain_errors(error, search_space, key, location, value)
        return
    except MtlError as error:  # the key does not exist; the message contains its location
        yield str(error)
        return
    if changed_setting := find_first_change(search_space.base_config, config):
        yield (
            f"{search_space.format_location(key)}: changes {changed_setting}, and with it what is measured; "
            "the scores of trials could not be compared"
        )
    for other_location, other_config in configs_by_location.items():
        if other_config == config and "choices" in other_location:
            yield (
                f"{search_space.format_location(key, location)}: {format_label(value)} is the same as "
                f"{'.'.join(map(str, other_location))}"
            )
            break
    known_paths = input_paths(search_space.base_config)
    for _, path, must_be_file in (input_path for input_path in input_paths(config) if input_path not in known_paths):
        if validation_error := validate_input_path(path, must_be_file):
            yield f"{search_space.format_location(key, location)}: {validation_error}"
    configs_by_location[location] = config


def _explain_errors(
    error: ValidationError, search_space: SearchSpace, key: str, location: Loc, value: Any
) -> Iterator[str]:
    for line in list_errors(error, search_space.experiment.source.path.name):
        if line.type == "unknown_key" and line.key == key:
            yield f"{search_space.format_location(key)}: {line.message}"
        else:
            prefix = f"{line.key}: " if line.loc and line.key != key else ""
            yield (
                f"{search_space.format_location(key, location)}: the experiment refuses {format_label(value)}: "
                f"{prefix}{line.message}"
            )


def _find_baseline_param(
    search_space: SearchSpace, parameter: Parameter, value: Any, configs_by_location: Mapping[Loc, ExperimentConfig]
) -> ParamValue | None:
    """Return the experiment's own value as a sampled value; None if the space does not contain it."""
    if not isinstance(parameter, Choices):
        return value if _is_in_range(parameter, value) else None
    matching_locations = (
        location for location, config in configs_by_location.items() if config == search_space.base_config
    )
    return next((format_label(parameter.choices[int(location[-1])]) for location in matching_locations), None)


def _is_in_range(parameter: Range, value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    on_step = not isinstance(parameter, Integer) or (value - parameter.low) % parameter.step == 0
    return parameter.low <= value <= parameter.high and on_step


def _format_value(value: Any) -> str:
    if value is None:
        return ""
    return format_label(value.model_dump(mode="json") if isinstance(value, BaseModel) else value)
