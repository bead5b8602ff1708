"""The check of the extra `molecules`."""

from mtl_core import MtlError, describe_missing_packages


def require_rdkit(config_key: str, type_name: str) -> None:
    """Require that RDKit is installed.

    Args:
        config_key: The key of the config block.
        type_name: The type that needs it.

    Raises:
        MtlError: If it is not installed; the message contains the command that installs it.
    """
    if message := describe_missing_packages({"rdkit": "'mtl-core[molecules]'"}):
        raise MtlError(f"{config_key}: the type '{type_name}' {message}")
