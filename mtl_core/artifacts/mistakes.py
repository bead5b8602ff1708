"""The most confident mistakes of a run, as stored in `mistakes.jsonl`."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtl_core.artifacts.json_files import parse_schema, read_json_lines


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A wrong prediction, one line of `mistakes.jsonl`.

    Attributes:
        task: The name of the task.
        id: The id of the example.
        text: The text of the example; empty if the input has none.
        image: The thumbnail of the example as a data URL; None if the input is no image.
        inputs: Input column to cell; None if the input is no row of cells.
        tokens: The tokens that the network reads; None if the input is not a text.
        label: The predicted class.
        gold: The true class.
        confidence: The probability of the predicted class.
        attention: One attention weight per token; None if the head has no attention.
    """

    task: str
    id: str
    text: str
    image: str | None = None
    inputs: Mapping[str, Any] | None = None
    tokens: Sequence[str] | None = None
    label: str
    gold: str
    confidence: float
    attention: Sequence[float] | None = None

    def to_record(self) -> dict[str, Any]:
        """Return the line as a mapping; what an example does not have is omitted."""
        return {key: value for key, value in asdict(self).items() if value is not None}

    @property
    def token_weights(self) -> list[tuple[str, float]]:
        """Each token with its attention weight; empty without attention, or if the numbers differ."""
        tokens, weights = self.tokens or (), self.attention or ()
        return list(zip(tokens, weights, strict=True)) if len(tokens) == len(weights) else []


def read_mistakes(path: Path) -> list[Mistake] | None:
    """Read `mistakes.jsonl`.

    Returns:
        The mistakes; None if the file does not exist.

    Raises:
        MtlError: If the file is damaged.
    """
    if not path.is_file():
        return None
    return parse_schema(list[Mistake], list(read_json_lines(path)), path)
