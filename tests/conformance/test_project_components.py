"""Every component of the project passes the suite of its extension point, like a component of any plugin."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from project_components import COMPONENTS, SUITES, Case, build_checks, list_project_types, load_registry
from shared_pipelines import share_pipelines

from mtl_core.plugins.extension_points import EXTENSION_POINTS
from mtl_core.plugins.optional_packages import describe_missing_packages, find_missing_packages

LOADING_CHECKS = {"unload", "state"}
"""Checks of an encoder that is loaded again, for which pipelines are not shared."""


def _cases() -> Iterator[Any]:
    for extension_point, types in COMPONENTS.items():
        for type_name, cases in types.items():
            for number, case in enumerate(cases):
                marks = [pytest.mark.shared, pytest.mark.slow] if case.needs is not None else []
                label = f"{extension_point}-{type_name}" + (f"-{number}" if number else "")
                yield pytest.param(extension_point, type_name, case, id=label, marks=marks)


@pytest.mark.parametrize(("extension_point", "type_name", "case"), list(_cases()))
def test_component_passes_its_suite(extension_point: str, type_name: str, case: Case) -> None:
    if case.needs is not None and not case.needs.exists():
        pytest.skip(f"{case.needs.name} is not next to the checkout")
    if missing_extra := describe_missing_packages(dict.fromkeys(case.modules, "an extra")):
        pytest.skip(f"'{type_name}' {missing_extra}")
    if type_name not in load_registry().get_specs(extension_point):
        pytest.skip(f"the plugin that offers '{type_name}' is not installed")
    spec: Any = load_registry().find(extension_point, type_name)
    if extension_point == "trackers" and (missing := [*find_missing_packages([spec()])]):
        pytest.skip(missing[0][1])
    if extension_point == "weightings" and (
        missing_package := describe_missing_packages(spec().list_required_packages())
    ):
        pytest.skip(f"'{type_name}' {missing_package}")
    with share_pipelines():
        checks = build_checks(extension_point, type_name, case)
    failures = []
    for check in checks:
        with contextlib.nullcontext() if check.name in LOADING_CHECKS else share_pipelines():
            try:
                check.run()
            except AssertionError as error:
                failures.append(str(error))
    assert not failures, "\n\n".join(failures)
    assert all(skipped.reason for skipped in checks.skipped_checks)


@pytest.mark.parametrize("extension_point", EXTENSION_POINTS)
def test_every_component_is_checked(extension_point: str) -> None:
    """A registered component that is not in the table would go unchecked."""
    assert extension_point in SUITES
    missing = list_project_types(extension_point) - COMPONENTS[extension_point].keys()
    assert not missing, f"add {sorted(missing)} to COMPONENTS['{extension_point}'] in project_components.py"


def test_project_components_are_recognised() -> None:
    """The test above would pass if no component were recognised as the project's own."""
    assert sum(len(list_project_types(extension_point)) for extension_point in EXTENSION_POINTS) >= 50
