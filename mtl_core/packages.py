"""Packages that only some parts need."""

from collections.abc import Mapping
from importlib.util import find_spec

from mtl_core.errors import listed


def what_is_missing(needs: Mapping[str, str]) -> str:
    """Say which modules are not there, and how they are installed; an empty text if all are.

    Args:
        needs: Module to what `pip` installs for it.
    """
    missing = [module for module in needs if find_spec(module) is None]
    if not missing:
        return ""
    packages = " ".join(dict.fromkeys(needs[module] for module in missing))
    return f"needs {listed(missing)}, which is not installed: pip install {packages}"
