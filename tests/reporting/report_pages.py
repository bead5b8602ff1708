"""A strict parser for reports: an unclosed element, a stray end tag or a duplicate name is an error."""

import base64
import hashlib
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "br", "hr", "img", "link", "input"}


@dataclass
class Node:
    """An HTML element and its children."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: "list[Node | str]" = field(default_factory=list)

    def find_all(self, *tags: str) -> "Iterator[Node]":
        """Iterate over the descendants in document order, optionally only those with one of the tags."""
        for child in self.children:
            if isinstance(child, Node):
                if not tags or child.tag in tags:
                    yield child
                yield from child.find_all(*tags)

    def find_one(self, tag: str) -> "Node":
        (node,) = self.find_all(tag)
        return node

    @property
    def text(self) -> str:
        """All text in the element, with runs of white space collapsed."""
        return " ".join("".join(self._texts()).split())

    def _texts(self) -> Iterator[str]:
        for child in self.children:
            if isinstance(child, str):
                yield child
            else:
                yield from child._texts()


class _StrictParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("")
        self._open_nodes = [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"<{tag}> has a duplicate attribute: {names}"
        node = Node(tag, {name: value or "" for name, value in attrs})
        self._open_nodes[-1].children.append(node)
        if tag not in VOID:
            self._open_nodes.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open_nodes[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open_nodes[-1].tag == tag, f"</{tag}> closes <{self._open_nodes[-1].tag}>"
        self._open_nodes.pop()

    def handle_data(self, data: str) -> None:
        self._open_nodes[-1].children.append(data)

    def close(self) -> None:
        super().close()
        assert len(self._open_nodes) == 1, f"never closed: {[node.tag for node in self._open_nodes[1:]]}"


class Page:
    """The parsed page of a report."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.source = path.read_text(encoding="utf-8")
        parser = _StrictParser()
        parser.feed(self.source)
        parser.close()
        self.root = parser.root
        self.html = self.root.find_one("html")
        for svg in self.drawings:
            ET.fromstring(svg)  # noqa: S314  (trusted input)
        ids = [node.attributes["id"] for node in self.html.find_all() if "id" in node.attributes]
        assert len(ids) == len(set(ids)), f"duplicate ids: {sorted({name for name in ids if ids.count(name) > 1})}"
        self.ids = set(ids)

    @property
    def drawings(self) -> list[str]:
        """The source of every inline SVG."""
        return re.findall(r"<svg.*?</svg>", self.source, re.DOTALL)

    @property
    def text(self) -> str:
        return self.html.find_one("body").text

    @property
    def headline(self) -> str:
        return next(node.text for node in self.html.find_all("p") if node.attributes.get("class") == "headline")

    def section(self, name: str) -> Node:
        (section_node,) = [node for node in self.html.find_all("section") if node.attributes["id"] == name]
        return section_node

    def tables(self, section: str) -> dict[str, "Table"]:
        """Return the tables of a section by caption."""
        return {node.find_one("caption").text: Table(node) for node in self.section(section).find_all("table")}

    def references(self) -> list[str]:
        """Return all references that a browser could load or follow to another resource."""
        urls = re.findall(r"url\(\s*(?!#)[^)]*\)|@import", self.source)
        for node in self.html.find_all():
            urls += [
                value
                for name, value in node.attributes.items()
                if name in {"src", "href", "xlink:href", "srcset", "action", "data", "poster"} and value[:1] != "#"
            ]
            urls += [node.tag] if node.tag in {"link", "iframe", "object", "embed", "img", "base"} else []
        return [*urls, *self._foreign_scripts()]

    def _foreign_scripts(self) -> list[str]:
        """Return the texts of scripts that the policy of the page does not admit."""
        scripts = re.findall(r"<script>(.*?)</script>", self.source, re.DOTALL)
        digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts]
        policy = re.search(r'Content-Security-Policy" content="([^"]*)"', self.source)
        admitted = policy[1] if policy else ""
        return [
            *(script for script, digest in zip(scripts, digests, strict=True) if f"'sha256-{digest}'" not in admitted),
            *["script"] * (self.source.count("<script") - len(scripts)),
        ]


class Table:
    """A table: the names of its columns, and the texts of its rows."""

    def __init__(self, node: Node) -> None:
        self.columns = [cell.text for cell in node.find_one("thead").find_all("th")]
        self.rows = [[cell.text for cell in row.find_all("th", "td")] for row in node.find_all("tr")][1:]
        assert all(len(row) == len(self.columns) for row in self.rows)

    def row(self, *names: str) -> dict[str, str]:
        """Return the row with these first cells as a mapping from column name to text."""
        (cells,) = [row for row in self.rows if tuple(row[: len(names)]) == names]
        return dict(zip(self.columns, cells, strict=True))
