"""XML as tokens. Which elements stand within a sentence is told by what is beside them: text, or nothing.

    <note><to>Anna</to><body>Ci vediamo <b>domani</b>.</body></note>

Here `b` does, and the others are blocks. What is not well-formed is read too, as far as it can be.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from model.markup.html import HtmlReader, Noted, read_with
from model.markup.tokens import Document, Kind, Token

NAME = re.compile(r"</?\s*([^\s/>]+)")
ODD_NAME = re.compile(r"(?<=<)[_:\u00c0-\U000effff]|(?<=</)[_:\u00c0-\U000effff]")
SUBSET = re.compile(r"<!DOCTYPE[^\[<>]{0,500}\[(?:[^\]\"']|\"[^\"]*\"|'[^']*')*+\]\s*>", re.IGNORECASE)
CDATA, CDATA_END, INSTRUCTION_END = "<![CDATA[", "]]>", "?>"
KEPT = (("translate", "no"), ("its:translate", "no"), ("translatable", "false"), ("mtc:translate", "no"))
"""Attributes, and their values, that say not to translate an element; the third is Android's."""


def read_xml(document: str, ignored: Iterable[str] = ()) -> Document:
    """Read `document`; the content of tags called as one of `ignored` is not translated. No text is refused."""
    read = read_with(XmlReader(document, frozenset(ignored)), document)
    return read._replace(tokens=list(_outlined(read.tokens)))


class XmlReader(HtmlReader):
    """Knows no tag by its name, and tells capitals from small letters."""

    CDATA_CONTENT_ELEMENTS = RCDATA_CONTENT_ELEMENTS = ()  # type: ignore[misc]  # the stubs have them as final

    def readable(self) -> str:
        """The parser knows only names that begin with a letter of ASCII."""
        return ODD_NAME.sub("x", self.document)

    def token(self, noted: Noted, raw: str) -> Token:
        """As in HTML; but what the parser took for text though it has a `<` is kept."""
        return Token(raw, "other") if noted.kind == "text" and "<" in raw else super().token(noted, raw)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note_tag("start", dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._note_tag("other", dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        self._note_tag("end", {})

    def _note_tag(self, kind: Kind, values: dict[str, str | None]) -> None:
        match = NAME.match(self.document, self.place)
        name = match[1] if match else ""
        self.note(kind, name, name in self.ignored or any(values.get(key) == value for key, value in KEPT))

    def parse_html_declaration(self, i: int) -> int:
        """A section of characters ends with its own mark, whatever it holds; so does a subset of declarations."""
        if self.rawdata.startswith(CDATA, i):
            return self._until(CDATA_END, i)
        subset = SUBSET.match(self.rawdata, i)
        if subset is None:
            return super().parse_html_declaration(i)
        self.note("other")
        return subset.end()

    def parse_pi(self, i: int) -> int:
        """So does an instruction."""
        return self._until(INSTRUCTION_END, i)

    def _until(self, mark: str, start: int) -> int:
        end = self.rawdata.find(mark, start)
        if end < 0:
            return -1
        self.note("other")
        return end + len(mark)


def _outlined(tokens: Sequence[Token]) -> Iterator[Token]:
    """`tokens` with what is known of each: whether it stands within a sentence."""
    parents = _parents(tokens)
    mixed = {parent for token, parent in zip(tokens, parents, strict=True) if token.text.strip()}
    inline: dict[int, bool] = {-1: False}
    for index, (token, parent) in enumerate(zip(tokens, parents, strict=True)):
        within = parent in mixed or inline[parent]
        if token.kind == "start":
            inline[index] = within
        yield token if token.kind == "text" else token._replace(inline=within)


def _parents(tokens: Sequence[Token]) -> list[int]:
    """For each token the index of the start tag of the element in which it stands; -1 outside of all."""
    open_: list[int] = []
    names: Counter[str] = Counter()
    parents = []
    for index, token in enumerate(tokens):
        if token.kind == "end" and names[token.name]:
            while tokens[open_[-1]].name != token.name:
                names[tokens[open_.pop()].name] -= 1
            open_.pop()
            names[token.name] -= 1
        parents.append(open_[-1] if open_ else -1)
        if token.kind == "start":
            open_.append(index)
            names[token.name] += 1
    return parents
