"""Optional packages."""

from collections.abc import Mapping
from importlib.util import find_spec

from mtl_core.errors import listed


def what_is_missing(needs: Mapping[str, str]) -> str:
    """Format a message that names the missing modules and the command that installs them.

    Args:
        needs: Maps each required module to the argument of `pip install` that installs it.

    Returns:
        The message; an empty string if all modules are installed.
    """
    missing = [module for module in needs if find_spec(module) is None]
    if not missing:
        return ""
    packages = " ".join(dict.fromkeys(needs[module] for module in missing))
    return f"needs {listed(missing)}, which is not installed: pip install {packages}"
