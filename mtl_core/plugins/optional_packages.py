"""Optional packages."""

from collections.abc import Mapping
from importlib.util import find_spec

from mtl_core.errors import join_names


def describe_missing_packages(requirements: Mapping[str, str]) -> str:
    """Format a message that names the missing modules and the command that installs them.

    Args:
        requirements: Maps each required module to the argument of `pip install` that installs it.

    Returns:
        The message; an empty string if all modules are installed.
    """
    missing = [module for module in requirements if find_spec(module) is None]
    if not missing:
        return ""
    packages = " ".join(dict.fromkeys(requirements[module] for module in missing))
    return f"needs {join_names(missing)}, which is not installed: pip install {packages}"
