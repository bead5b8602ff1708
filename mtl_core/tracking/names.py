"""Names that are valid in every tracker."""

import re

LONGEST = 200
"""Maximum number of characters of a name; the limit of MLflow is 250."""


class TrackedNames:
    """Maps names to unique names of letters, digits and `_ - . /`.

    The mapping of a name never changes, so a task whose name contains other characters has a single series.
    """

    def __init__(self) -> None:
        self._made: dict[str, str] = {}
        self._taken: set[str] = set()

    def name(self, text: str) -> str:
        """Return the tracked name of a metric or a key."""
        if text not in self._made:
            plain = _plain(text)
            made, number = plain, 2
            while made in self._taken:
                made, number = f"{plain}_{number}", number + 1
            self._made[text] = made
            self._taken.add(made)
        return self._made[text]


def _plain(text: str) -> str:
    signs = re.sub(r"[^\w./-]", "_", text)
    parts = [part if part.strip(".") else "_" * len(part) for part in signs.split("/") if part]
    return "/".join(parts)[:LONGEST].rstrip("/") or "_"
