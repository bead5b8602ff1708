"""The section with examples that are images: their predictions, and predicted and true masks."""

from collections.abc import Sequence
from typing import Any

from mtl_core.artifacts.class_colors import UNLABELLED_COLOR, Color, get_class_color
from mtl_core.artifacts.pictures import Picture, PictureLabel
from mtl_core.reporting.blocks import Block, PictureCard, Pictures, Section, TextBlock
from mtl_core.reporting.read_run import RunArtifacts

MAX_TASKS = 12
"""Maximum number of tasks whose predictions are shown per image."""


def build_pictures_section(artifacts: RunArtifacts) -> Section:
    """Build the section."""
    pictures = artifacts.pictures
    split_name = artifacts.main_split.split_name if artifacts.main_split is not None else ""
    text = f"The first {len(pictures)} {split_name} examples, as the network sees them, with its predictions"
    mask_tasks = list(dict.fromkeys(mask.task for picture in pictures for mask in picture.masks))
    text += " and masks. Black pixels of true masks have no label." if mask_tasks else "."
    if any(not artifacts.classes.get(task) for task in mask_tasks):
        text += " Masks of numbers are brighter for larger numbers, on the scale of the true mask."
    classes = max((artifacts.classes.get(task, ()) for task in mask_tasks), key=len, default=())
    blocks: list[Block] = [TextBlock([text]), Pictures(_build_legend(classes), [build_card(one) for one in pictures])]
    return Section("pictures", "Examples", blocks)


def _build_legend(classes: Sequence[str]) -> list[tuple[str, str]]:
    if not classes:
        return []
    colors = [(get_class_color(index), name) for index, name in enumerate(classes)]
    return [(_format_color(color), name) for color, name in [*colors, (UNLABELLED_COLOR, "no label")]]


def _format_color(color: Color) -> str:
    return f"rgb({color[0]}, {color[1]}, {color[2]})"


def build_card(picture: Picture) -> PictureCard:
    """Return an example with its masks, its wrong predictions, and the others."""
    images = [(picture.image, "image")]
    for mask in picture.masks:
        images.append((mask.predicted, f"{mask.task}: predicted"))
        if mask.gold is not None:
            images.append((mask.gold, f"{mask.task}: true"))
    labels = picture.labels[:MAX_TASKS]
    wrong = [_format_prediction(one) for one in labels if _is_wrong(one)]
    right = [_format_prediction(one) for one in labels if not _is_wrong(one)]
    return PictureCard(images, f"example {picture.id}", wrong, right)


def _is_wrong(label: PictureLabel) -> bool:
    """Return whether a prediction is wrong; a number is not, however far it is from the true one."""
    return label.gold is not None and not isinstance(label.gold, int | float) and label.label != label.gold


def _format_prediction(label: PictureLabel) -> str:
    text = f"{label.task}: {_format_label(label.label)}"
    return text if label.gold in (None, label.label) else f"{text} (true: {_format_label(label.gold)})"


def _format_label(label: Any) -> str:
    if isinstance(label, float):
        return f"{label:.3g}"
    return ", ".join(map(_format_label, label)) if isinstance(label, list) else str(label)
