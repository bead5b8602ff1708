"""A model card as Markdown, with a YAML metadata block for the Hugging Face Hub."""

import re
from collections.abc import Iterator, Sequence

from mtl_core import __version__
from mtl_core.config.yaml_file import write_yaml
from mtl_core.model_card.card import Card
from mtl_core.model_card.sections import sections
from mtl_core.report.blocks import Block, Table, Words
from mtl_core.report.run.headline import headline

_CODE = re.compile(r"(`[^`]+`)")
_MARKS = re.compile(r"[\\|<>*\[\]#`]|(?<!\w)_|_(?!\w)")
_ESCAPED = r"\\\g<0>"


def markdown(card: Card) -> str:
    """Format a card as Markdown."""
    files = card.files
    lines = ["---", write_yaml(_about(card)).rstrip("\n"), "---", "", f"# {_plain(files.experiment)}", ""]
    lines += [_sentence(headline(files)), ""]
    if files.data.notice:
        lines += [f"> {_plain(files.data.notice)}", ""]
    for section in sections(card):
        lines += [f"## {section.title}", ""]
        for block in section.blocks:
            lines += [*_block(block), ""]
    return "\n".join([*lines, f"Generated from the files of the run directory by mtl-core {__version__}.", ""])


def _about(card: Card) -> dict[str, object]:
    metrics = {task.main.name for part in card.files.parts for task in part.tasks if task.main is not None}
    return {"library_name": "mtl-core", "tags": ["multi-task-learning"], "metrics": sorted(metrics)}


def _block(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        yield from _table(block)
    elif isinstance(block, Words):
        mark = "- " if block.points else ""
        for place, sentence in enumerate(block.sentences):
            if place and not block.points:
                yield ""
            yield mark + _sentence(sentence)


def _table(table: Table) -> Iterator[str]:
    yield f"**{_plain(table.caption)}**"
    yield ""
    yield _row([_plain(column.title) for column in table.columns])
    yield _row(["---:" if column.number else "---" for column in table.columns])
    for row in table.rows:
        yield _row([_plain(cell.text) for cell in row])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _sentence(text: str) -> str:
    """Escape a sentence, except for code between backticks."""
    parts = _CODE.split(" ".join(text.split()))
    return "".join(part if _CODE.fullmatch(part) else _MARKS.sub(_ESCAPED, part) for part in parts)


def _plain(text: str) -> str:
    """Escape text for Markdown and HTML: names come from untrusted files."""
    return _MARKS.sub(_ESCAPED, " ".join(text.split()))
