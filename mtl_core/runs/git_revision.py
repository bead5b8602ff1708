"""The git revision of a folder."""

import os
import shutil
import subprocess
from pathlib import Path

from mtl_core.artifacts.provenance import GitRevision

TIMEOUT_S = 10
"""Maximum time of a git command; a large repository on a slow disk may need longer, and is then not described."""


def read_git_revision(path: Path) -> GitRevision | None:
    """Return the commit that is checked out where a file lies, and whether there are uncommitted changes.

    Changes are those of tracked files anywhere in the repository; the file itself also counts as a change if it is
    not tracked. Nothing else of the repository is read: no remote, no name of an author.

    Args:
        path: The experiment file, or a folder.

    Returns:
        The revision; None without git, a repository, or a commit.
    """
    folder = path if path.is_dir() else path.parent
    revision = _run_git(folder, "rev-parse", "--verify", "HEAD")
    if revision is None:
        return None
    changes = _run_git(folder, "status", "--porcelain", "--untracked-files=no")
    project_changes = "" if path.is_dir() else _run_git(folder, "status", "--porcelain", "--", path.name)
    has_changes = None if changes is None or project_changes is None else bool(changes or project_changes)
    return GitRevision(revision, has_changes)


def _run_git(folder: Path, *arguments: str) -> str | None:
    """Return the output of a git command; None if it fails. It writes nothing and runs no program of the repository."""
    git = shutil.which("git")
    if git is None:
        return None
    # Variables such as GIT_DIR, which git sets for its hooks, would select another repository.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    command = [git, "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments]
    try:
        result = subprocess.run(  # noqa: S603  the arguments are constants and a file name
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return result.stdout.strip()
