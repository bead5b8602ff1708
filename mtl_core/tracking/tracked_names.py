"""Names that are valid in every tracker."""

import re

MAX_NAME_LENGTH = 200
"""Maximum number of characters of a name; the limit of MLflow is 250."""


class TrackedNames:
    """Maps names to unique names of letters, digits and `_ - . /`.

    The mapping of a name never changes, so a task whose name contains other characters has a single series.
    """

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self._used_names: set[str] = set()

    def get_name(self, text: str) -> str:
        """Return the tracked name of a metric or a key."""
        if text not in self._names:
            base = _sanitize(text)
            candidate, number = base, 2
            while candidate in self._used_names:
                candidate, number = f"{base}_{number}", number + 1
            self._names[text] = candidate
            self._used_names.add(candidate)
        return self._names[text]


def _sanitize(text: str) -> str:
    sanitized = re.sub(r"[^\w./-]", "_", text)
    parts = [part if part.strip(".") else "_" * len(part) for part in sanitized.split("/") if part]
    return "/".join(parts)[:MAX_NAME_LENGTH].rstrip("/") or "_"
