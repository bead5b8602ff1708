"""The output directory of several trials: reserved for one plan, and locked while a process works in it."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mtl_core.atomic import write_text_atomically
from mtl_core.errors import MtlError

Plan = dict[str, Any]
"""What the trials in a folder have in common, as stored in it."""


def reserve_folder(plan_path: Path, plan: Plan, merge_plans: Callable[[Plan | None], Plan]) -> None:
    """Create a folder and store its plan, or reuse a folder with a compatible plan.

    Args:
        plan_path: The file in the folder that stores the plan.
        plan: The plan of a new folder.
        merge_plans: Receives the plan of an existing folder, None if it has none. Returns the plan of both, or
            raises an `MtlError` if the folder cannot be reused; its message does not contain the folder.

    Raises:
        MtlError: If the folder cannot be reused or created.
    """
    folder = plan_path.parent
    if folder.exists():
        try:
            plan = merge_plans(_read_plan(plan_path))
        except MtlError as error:
            raise MtlError(f"{folder}: {error}") from error
    else:
        create_folder(folder)
    write_text_atomically(plan_path, json.dumps(plan, indent=2, ensure_ascii=False) + "\n")


def create_folder(folder: Path, exist_ok: bool = False) -> None:
    """Create a folder and its parents.

    Raises:
        MtlError: If it cannot be created.
    """
    try:
        folder.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        raise MtlError(f"{folder}: cannot be created: {error.strerror}") from error


def _read_plan(path: Path) -> Plan | None:
    try:
        plan = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return plan if isinstance(plan, dict) else None


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Lock a folder against other processes. The operating system releases the lock when this process ends.

    Raises:
        MtlError: If another process holds the lock.
    """
    lock = sqlite3.connect(folder / ".lock", timeout=0, isolation_level=None)
    try:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise MtlError(f"{folder}: another process is using this folder") from error
        yield
    finally:
        lock.close()
