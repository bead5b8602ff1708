"""The pages of the documentation and the blocks of code in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md")) + [path for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md") if path.exists()]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
_FENCE = re.compile(r"^( *)```(\w*)(?: title=\"([^\"]+)\")?[^\n]*\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ ", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the file that it shows (or ""), its text, and its line number."""

    language: str
    title: str
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    """A command of a console block and the output that the page shows below it."""

    text: str
    output: tuple[str, ...]


def parse_blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in their order."""
    source = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(source):
        indent, language, title, text = match.groups()
        text = re.sub(rf"^{indent}", "", text, flags=re.MULTILINE)
        yield Block(language, title or "", text, source[: match.start()].count("\n") + 1)


def parse_commands(block: Block) -> list[Command]:
    """Return the commands of a console block (lines that start with `$ `; a `\\` at their end continues them)."""
    parsed = []
    for part in _COMMAND.split(block.text)[1:]:
        lines = part.replace("\\\n", "").splitlines()
        parsed.append(Command(lines[0].split("  # ")[0].strip(), tuple(line for line in lines[1:] if line.strip())))
    return parsed
