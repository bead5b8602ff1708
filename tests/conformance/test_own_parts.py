"""Every component of the project passes the suite of its extension point, like a component of any plugin."""

from collections.abc import Iterator
from typing import Any

import pytest
from own_parts import PARTS, SUITES, Case, checks_of, own_types, registry

from mtl_core.packages import what_is_missing
from mtl_core.seams import SEAMS
from mtl_core.tracking.needs import missing_packages


def _cases() -> Iterator[Any]:
    for seam, types in PARTS.items():
        for type_name, cases in types.items():
            for number, case in enumerate(cases):
                marks = [pytest.mark.shared, pytest.mark.slow] if case.needs is not None else []
                label = f"{seam}-{type_name}" + (f"-{number}" if number else "")
                yield pytest.param(seam, type_name, case, id=label, marks=marks)


@pytest.mark.parametrize(("seam", "type_name", "case"), list(_cases()))
def test_a_part_does_what_its_seam_asks(seam: str, type_name: str, case: Case) -> None:
    if case.needs is not None and not case.needs.exists():
        pytest.skip(f"{case.needs.name} is not next to the checkout")
    if missing_extra := what_is_missing(dict.fromkeys(case.modules, "an extra")):
        pytest.skip(f"'{type_name}' {missing_extra}")
    if type_name not in registry().offers(seam):
        pytest.skip(f"the plugin that offers '{type_name}' is not installed")
    if seam == "trackers" and (missing := [*missing_packages([registry().find(seam, type_name)()])]):
        pytest.skip(missing[0][1])
    if seam == "weightings" and (flaw := what_is_missing(registry().find(seam, type_name)().needs())):
        pytest.skip(f"'{type_name}' {flaw}")
    checks = checks_of(seam, type_name, case)
    failures = []
    for check in checks:
        try:
            check.run()
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n\n".join(failures)
    assert all(left.reason for left in checks.left_out)


@pytest.mark.parametrize("seam", SEAMS)
def test_every_part_of_a_seam_is_checked(seam: str) -> None:
    """A registered component that is not in the table would go unchecked."""
    assert seam in SUITES
    missing = own_types(seam) - PARTS[seam].keys()
    assert not missing, f"add {sorted(missing)} to PARTS['{seam}'] in own_parts.py"


def test_all_our_own_parts_are_seen() -> None:
    """The test above would pass if no component were recognised as the project's own."""
    assert sum(len(own_types(seam)) for seam in SEAMS) >= 50
