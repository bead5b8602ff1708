"""Whether inputs may name files of this machine: not those that a server receives."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from mtl_core.errors import MtlError

_IS_FORBIDDEN: ContextVar[bool] = ContextVar("is_forbidden", default=False)


@contextmanager
def forbid_local_files() -> Iterator[None]:
    """Forbid inputs that name files of this machine while the context is active, in this thread."""
    token = _IS_FORBIDDEN.set(True)
    try:
        yield
    finally:
        _IS_FORBIDDEN.reset(token)


def check_local_files_allowed(expected: str) -> None:
    """Require that inputs may name files of this machine. Encoders call it before they read a file.

    Args:
        expected: What to send instead of a path, for the message.

    Raises:
        MtlError: If the inputs come from clients of a server, who must not read its files.
    """
    if _IS_FORBIDDEN.get():
        raise MtlError(f"a server reads no files that its clients name; expected {expected}")
