"""A strict parser of the XML of SemEval-2014 Task 4."""

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.sax import SAXParseException
from xml.sax.handler import ContentHandler
from xml.sax.xmlreader import AttributesImpl

from mtl_core import MtlError, did_you_mean, join_names

ALLOWED_CHILDREN: Mapping[str, tuple[str, ...]] = {
    "": ("sentences",),
    "sentences": ("sentence",),
    "sentence": ("text", "aspectTerms", "aspectCategories"),
    "text": (),
    "aspectTerms": ("aspectTerm",),
    "aspectTerm": (),
    "aspectCategories": ("aspectCategory",),
    "aspectCategory": (),
}
"""Allowed child elements per element. Ignoring an unknown element could silently lose labels."""

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
_DECLARATION = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z][\w.-]*)["']""")


@dataclass(frozen=True)
class Mention:
    """One `<aspectCategory>`; `polarity` is None if the attribute is missing, as in unlabelled test files."""

    category: str
    polarity: str | None
    line: int


@dataclass(frozen=True)
class Term:
    """One `<aspectTerm>`: the characters `start` to `end` of the sentence's stripped text."""

    start: int
    end: int
    polarity: str | None
    line: int


@dataclass(frozen=True)
class Sentence:
    """One `<sentence>` with stripped text; `mentions` is None without `<aspectCategories>`."""

    id: str
    text: str
    line: int
    mentions: tuple[Mention, ...] | None
    terms: tuple[Term, ...] = ()


@dataclass(frozen=True)
class SentenceFile:
    """The sentences of a file in order, the `disclaimer` of its root element, and the ids that occur repeatedly.

    Attributes:
        has_terms: Whether aspect terms are annotated.
    """

    path: Path
    disclaimer: str
    sentences: tuple[Sentence, ...]
    duplicate_ids: tuple[str, ...] = ()
    has_terms: bool = False


def read_sentences(path: Path) -> SentenceFile:
    """Parse a file.

    Document type declarations are errors: the format needs none, and entity bombs and external entities depend on
    them.

    Raises:
        MtlError: If the file cannot be read, is not well-formed XML, or is not of this format.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise MtlError(f"{path}: cannot be read: {error.strerror}") from error
    if not data.strip():
        raise MtlError(f"{path}: the file is empty")
    reader = _Reader(path)
    _parse(_decode(data, path), reader)
    if not reader.sentences:
        raise MtlError(f"{path}: contains no <sentence>")
    sentences = tuple(reader.sentences.values())
    return SentenceFile(path, reader.disclaimer, sentences, tuple(reader.duplicate_ids), reader.has_terms)


def _decode(data: bytes, path: Path) -> str:
    """Decode before the XML parser does, because it does not report which byte is invalid and why."""
    bom_encoding = next((encoding for start, encoding in _BYTE_ORDER_MARKS if data.startswith(start)), None)
    match = None if bom_encoding else _DECLARATION.match(data)
    declared_encoding = match[1].decode() if match else None
    encoding = bom_encoding or declared_encoding or "utf-8"
    try:
        # The declaration was readable as ASCII, so it must also be readable in the declared encoding.
        if declared_encoding and "<?xml".encode(declared_encoding) != b"<?xml":
            raise MtlError(f"{path}:1: declares the encoding '{declared_encoding}' but is not written in it")
        text = data.decode(encoding)
        text.encode()  # codecs such as "unicode_escape" can return lone surrogates, which are not valid XML
    except LookupError as error:
        raise MtlError(f"{path}:1: declares an unknown encoding '{declared_encoding}'") from error
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, "replace").count("\n") + 1
        reason = "which it declares" if declared_encoding else "which it must be, since it declares no other encoding"
        raise MtlError(
            f"{path}:{line}: byte {error.start} (0x{data[error.start]:02x}) is not {encoding.upper()}, {reason};"
            " save the file as UTF-8, or declare its encoding in the first line"
        ) from error
    except UnicodeError as error:
        raise MtlError(f"{path}:1: is not written in its encoding '{encoding}': {error}") from error
    return text


def _parse(text: str, reader: "_Reader") -> None:
    from defusedxml import DefusedXmlException
    from defusedxml.sax import make_parser

    parser = make_parser()
    parser.forbid_dtd = True
    parser.setContentHandler(reader)
    reader.setDocumentLocator(parser)
    is_complete = False
    try:
        parser.feed(text)
        is_complete = True
        parser.close()
    except DefusedXmlException as error:
        raise MtlError(
            f"{reader.location}: document type declarations and entities are not allowed, as a precaution against"
            " malicious files; remove <!DOCTYPE …>"
        ) from error
    except SAXParseException as error:
        location = f"{reader.path}:{error.getLineNumber()}"
        if is_complete:
            raise MtlError(
                f"{location}: the file ends too early{reader.context} ({error.getMessage()}); is it complete?"
            ) from error
        raise MtlError(f"{location}: not well-formed XML{reader.context}: {error.getMessage()}") from error


class _Reader(ContentHandler):
    """SAX handler that collects the sentences of a file and checks their structure."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.disclaimer = ""
        self.sentences: dict[str, Sentence] = {}
        self.duplicate_ids: list[str] = []
        self._open_elements: list[str] = []
        self._seen_elements: set[str] = set()
        self._id = ""
        self._line = 0
        self._text: list[str] = []
        self._mentions: list[Mention] = []
        self._terms: list[Term] = []
        self.has_terms = False

    @property
    def location(self) -> str:
        """The current location of the parser."""
        return f"{self.path}:{self._get_line()}"

    @property
    def context(self) -> str:
        """The innermost open element, for messages."""
        if not self._open_elements:
            return ""
        return f", inside <{self._open_elements[-1]}>" + (f" of sentence {self._id}" if self._id else "")

    def startElement(self, name: str, attrs: AttributesImpl) -> None:  # noqa: N802
        """Check that the element is allowed here, and read its attributes."""
        self._check_element(name)
        self._open_elements.append(name)
        if name == "sentences":
            self.disclaimer = " ".join(attrs.get("disclaimer", "").split())
        elif name == "sentence":
            self._start_sentence(attrs)
        elif name == "aspectCategory":
            category = attrs.get("category", "").strip()
            if not category:
                raise MtlError(f"{self.location}: sentence {self._id}: <aspectCategory> has no category")
            polarity = attrs.get("polarity")
            self._mentions.append(Mention(category, polarity and polarity.strip(), self._get_line()))

        elif name == "aspectTerm":
            self._terms.append(self._parse_term(attrs))
            self.has_terms = True

    def _parse_term(self, attrs: AttributesImpl) -> Term:
        try:
            start, end = int(attrs["from"]), int(attrs["to"])
        except (KeyError, ValueError):
            offsets = {name: attrs.get(name) for name in ("from", "to")}
            raise MtlError(
                f"{self.location}: sentence {self._id}: <aspectTerm> needs `from` and `to`, the character offsets; "
                f"found {offsets}"
            ) from None
        polarity = attrs.get("polarity")
        return Term(start, end, polarity and polarity.strip(), self._get_line())

    def characters(self, content: str) -> None:
        """Collect the characters of a `<text>`."""
        if self._open_elements[-1] == "text":
            self._text.append(content)

    def endElement(self, name: str) -> None:  # noqa: N802
        """Finish a sentence."""
        self._open_elements.pop()
        if name != "sentence":
            return
        if "text" not in self._seen_elements:
            raise MtlError(f"{self.path}:{self._line}: sentence {self._id} has no <text>")
        mentions = tuple(self._mentions) if "aspectCategories" in self._seen_elements else None
        text = "".join(self._text)
        terms = tuple(self._shift_term(term, text) for term in self._terms)
        self.sentences[self._id] = Sentence(self._id, text.strip(), self._line, mentions, terms)
        self._id = ""

    def _shift_term(self, term: Term, text: str) -> Term:
        """Convert a term's offsets to offsets in the stripped text."""
        if not 0 <= term.start < term.end <= len(text):
            raise MtlError(
                f"{self.path}:{term.line}: sentence {self._id}: <aspectTerm> from {term.start} to {term.end} does "
                f"not lie in the text, which has {len(text)} characters"
            )
        n_leading_spaces = len(text) - len(text.lstrip())
        return Term(
            max(term.start - n_leading_spaces, 0), max(term.end - n_leading_spaces, 0), term.polarity, term.line
        )

    def _get_line(self) -> int:
        # typeshed lacks the attribute `_locator`.
        return int(self._locator.getLineNumber() or 1)  # type: ignore[attr-defined]

    def _check_element(self, name: str) -> None:
        parent = self._open_elements[-1] if self._open_elements else ""
        children = ALLOWED_CHILDREN[parent]
        if name in children:
            if parent == "sentence" and name in self._seen_elements:
                raise MtlError(f"{self.location}: sentence {self._id} has a second <{name}>")
            self._seen_elements.add(name)
            return
        if parent:
            raise MtlError(
                f"{self.location}: unexpected <{name}>{self.context}{did_you_mean(name, children)}"
                f" (elements here: {join_names(children)})"
            )
        hint = "; SemEval-2015 and 2016 files have another format" if name == "Reviews" else ""
        raise MtlError(f"{self.location}: the root element is <{name}>, expected <sentences>{hint}")

    def _start_sentence(self, attrs: AttributesImpl) -> None:
        self._line = self._get_line()
        self._seen_elements, self._text, self._mentions, self._terms = set(), [], [], []
        # Other data sets of this format (MAMS) have no ids.
        base_id = attrs.get("id", "").strip() or f"line-{self._line}"
        self._id, number = base_id, 1
        while self._id in self.sentences:
            number += 1
            self._id = f"{base_id} ({number})"
        if number > 1:
            self.duplicate_ids.append(base_id)
