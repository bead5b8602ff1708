"""Names that every tracker takes."""

import re

LONGEST = 200
"""Letters in a name. MLflow takes 250."""


class TrackedNames:
    """Brings names to letters, digits and `_ - . /`, and keeps those apart that would become the same.

    A name is made once and stays, so a task whose name holds other signs has one series, not two.
    """

    def __init__(self) -> None:
        self._made: dict[str, str] = {}
        self._taken: set[str] = set()

    def name(self, text: str) -> str:
        """Give the tracked name of a figure or a key."""
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
