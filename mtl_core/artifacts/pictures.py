"""Examples that are images, with their predictions and masks, as stored in `pictures.jsonl`."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mtl_core.artifacts.json_files import parse_schema, read_json_lines


@dataclass(frozen=True, kw_only=True)
class PictureLabel:
    """The prediction of a task with one label per image.

    Attributes:
        task: The name of the task.
        label: The predicted label.
        gold: The true label; None if it is missing.
    """

    task: str
    label: Any
    gold: Any = None


@dataclass(frozen=True, kw_only=True)
class PictureMask:
    """The predicted mask of a task with one label per pixel.

    Attributes:
        task: The name of the task.
        predicted: The predicted mask as a picture, a data URL.
        gold: The true mask as a picture; None if it is missing.
    """

    task: str
    predicted: str
    gold: str | None = None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An example with its predictions, one line of `pictures.jsonl`.

    Attributes:
        id: The id of the example.
        image: The image, a data URL.
        labels: The predictions of tasks with one label per image.
        masks: The predictions of tasks with one label per pixel.
    """

    id: str
    image: str
    labels: Sequence[PictureLabel]
    masks: Sequence[PictureMask]

    def to_record(self) -> dict[str, Any]:
        """Return the line as a mapping."""
        return asdict(self)


def read_pictures(path: Path) -> list[Picture]:
    """Read `pictures.jsonl`.

    Returns:
        The pictures; none if the file does not exist.

    Raises:
        MtlError: If the file is damaged.
    """
    return parse_schema(list[Picture], list(read_json_lines(path)), path) if path.is_file() else []
