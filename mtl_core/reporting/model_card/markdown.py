"""A model card as Markdown, with a YAML metadata block for the Hugging Face Hub."""

import re
from collections.abc import Iterator, Sequence

from mtl_core import __version__
from mtl_core.config.yaml_file import dump_yaml
from mtl_core.reporting.blocks import Block, Table, TextBlock
from mtl_core.reporting.headline import format_headline
from mtl_core.reporting.model_card.card import Card
from mtl_core.reporting.model_card.sections import build_sections

_CODE = re.compile(r"(`[^`]+`)")
_SPECIAL_CHARACTERS = re.compile(r"[\\|<>*\[\]#`]|(?<!\w)_|_(?!\w)")
_ESCAPED = r"\\\g<0>"


def render_markdown(card: Card) -> str:
    """Format a card as Markdown."""
    files = card.files
    lines = ["---", dump_yaml(_build_metadata(card)).rstrip("\n"), "---", "", f"# {_escape(files.experiment)}", ""]
    lines += [_escape_sentence(format_headline(files)), ""]
    if files.data.disclaimer:
        lines += [f"> {_escape(files.data.disclaimer)}", ""]
    for section in build_sections(card):
        lines += [f"## {section.title}", ""]
        for block in section.blocks:
            lines += [*_render_block(block), ""]
    return "\n".join([*lines, f"Generated from the files of the run directory by mtl-core {__version__}.", ""])


def _build_metadata(card: Card) -> dict[str, object]:
    metrics = {
        task.main_metric.name
        for split_scores in card.files.splits
        for task in split_scores.tasks
        if task.main_metric is not None
    }
    return {"library_name": "mtl-core", "tags": ["multi-task-learning"], "metrics": sorted(metrics)}


def _render_block(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        yield from _render_table(block)
    elif isinstance(block, TextBlock):
        prefix = "- " if block.is_list else ""
        for index, sentence in enumerate(block.sentences):
            if index and not block.is_list:
                yield ""
            yield prefix + _escape_sentence(sentence)


def _render_table(table: Table) -> Iterator[str]:
    yield f"**{_escape(table.caption)}**"
    yield ""
    yield _render_row([_escape(column.title) for column in table.columns])
    yield _render_row(["---:" if column.is_numeric else "---" for column in table.columns])
    for row in table.rows:
        yield _render_row([_escape(cell.text) for cell in row])


def _render_row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _escape_sentence(text: str) -> str:
    """Escape a sentence, except for code between backticks."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if _CODE.fullmatch(part) else _SPECIAL_CHARACTERS.sub(_ESCAPED, part) for part in parts)


def _escape(text: str) -> str:
    """Escape text for Markdown and HTML: names come from untrusted files."""
    return _SPECIAL_CHARACTERS.sub(_ESCAPED, " ".join(text.split()))
