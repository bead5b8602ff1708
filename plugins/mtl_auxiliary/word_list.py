"""Word list files."""

from pathlib import Path

from mtl_auxiliary.word_counts import normalize_word
from mtl_core import MtlError


def read_word_list(path: Path) -> list[str]:
    """Read a file with one word per line; ignore empty lines and lines that begin with `#` or `;`.

    Raises:
        MtlError: If the file cannot be read, a line has more than one word, or there are no words.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise MtlError(f"{path}: not UTF-8: {error}") from error
    except OSError as error:
        raise MtlError(f"{path}: cannot be read: {error.strerror}") from error
    words: dict[str, None] = {}
    for line_number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text[0] in "#;":
            continue
        if len(text.split()) > 1:
            raise MtlError(f"{path}:{line_number}: expected one word per line, found '{text}'")
        words[normalize_word(text)] = None
    if not words:
        raise MtlError(f"{path}: contains no words")
    return list(words)
