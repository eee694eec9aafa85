"""HTML as tokens, by the positions that the standard library's parser tells: nothing is written anew.

That parser reads any text, broken markup too. Not text are tags, comments, scripts, styles, code, and what says
translate="no". Titles, alternative texts, placeholders, labels of buttons and descriptions in tags are.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from html.parser import HTMLParser
from typing import NamedTuple

from model.markup.tokens import Document, Kind, Notation, Token

INLINE_NAMES = (
    "a abbr acronym b bdi bdo big button cite data del dfn em font i img input ins kbd label mark meter output q ruby s"
    " samp small span strike strong sub sup time tt u var wbr code"
)
INLINE = frozenset(INLINE_NAMES.split())
"""Tags that stand within a sentence; all others end it."""
UNTOUCHED_NAMES = "script style pre code kbd samp textarea svg math noscript template"
UNTOUCHED = frozenset(UNTOUCHED_NAMES.split())
EMPTY_NAMES = "area base br col embed hr img input link meta source track wbr"
EMPTY_TAGS = frozenset(EMPTY_NAMES.split())
TEXT_NAMES = "title alt placeholder label summary aria-label aria-placeholder aria-description"
TEXT_VALUES = frozenset(TEXT_NAMES.split())
"""Attributes that hold text, of any tag."""
DESCRIPTION_NAMES = "description keywords og:title og:description twitter:title twitter:description"
DESCRIPTIONS = frozenset(DESCRIPTION_NAMES.split())
"""Names of a `meta` whose `content` is text."""
BUTTONS = frozenset(("submit", "button", "reset"))
"""Types of an `input` whose `value` is text."""
ATTRIBUTE = re.compile(r"""[\s"'/]([^\s"'<>/=]+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'<>=`]+))""")
ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
ENTITY_OR_NOT = re.compile(r"&#?\w+;|[^&]+|&")
ENTITY = re.compile(r"&[A-Za-z#][^\s;&]*;")
BARE = {char: f"&#{ord(char)};" for char in " \t\n\r\f\"'=`"}
"""What a value without quotes cannot hold."""


def read_html(document: str, ignored: Iterable[str] = ()) -> Document:
    """Read `document`; the content of tags called as one of `ignored` is not translated. No text is refused."""
    return read_with(HtmlReader(document, frozenset(map(str.lower, ignored))), document)


def read_with(reader: HtmlReader, document: str) -> Document:
    """What `reader` finds in `document`, and how that writes its texts."""
    tokens = list(reader.tokens())
    entities = {token.text: token.raw for token in tokens if token.text != token.raw and len(token.text) == 1}
    return Document(tokens, Notation(*entity_writers(entities, document), html.unescape))


def entity_writers(
    entities: Mapping[str, str], document: str
) -> tuple[Callable[[str], str], Callable[[str, str], str]]:
    """What writes texts and values as `document` does: a character as its entity, if it never stands there bare."""
    bare = {char: entity for char, entity in entities.items() if char in ESCAPED or char not in document}
    escaped = ESCAPED | bare
    table = str.maketrans(escaped)
    return lambda text: text.translate(table), partial(_value, escaped)


def _value(escaped: Mapping[str, str], quote: str, value: str) -> str:
    """A value between two of `quote`, or without any."""
    more = {quote: "&quot;" if quote == '"' else "&#39;"} if quote in "\"'" else BARE
    return "".join(more.get(char) or escaped.get(char, char) for char in value)


class Noted(NamedTuple):
    """Where a token begins, and what it is; it ends where the next begins."""

    start: int
    kind: Kind
    name: str = ""
    kept: bool = False
    attributes: frozenset[str] = frozenset()
    """Those whose values are translated."""


class HtmlReader(HTMLParser):
    """Notes where each part of a document begins."""

    def __init__(self, document: str, ignored: frozenset[str]) -> None:
        super().__init__(convert_charrefs=False)
        self.document, self.ignored = document, ignored
        self._noted: list[Noted] = []
        self._lines = [0, *(match.end() for match in re.finditer("\n", document))]

    def tokens(self) -> Iterator[Token]:
        """All parts; joined they are the document again."""
        tags_end = self.document.rfind(">") + 1  # the parser would look for the end of each tag that begins behind it
        self.feed(self.readable()[:tags_end])
        self.close()
        if tags_end and (not self._noted or self._noted[0].start > 0):
            self._noted.insert(0, Noted(0, "other"))  # the parser passes over what is no tag, such as `</>`
        for part in ENTITY_OR_NOT.finditer(self.document, tags_end):
            self._noted.append(Noted(part.start(), "text"))
        ends = [*(noted.start for noted in self._noted[1:]), len(self.document)]
        for noted, end in zip(self._noted, ends, strict=False):
            if end > noted.start:
                yield self.token(noted, self.document[noted.start : end])

    def readable(self) -> str:
        """The document as the parser can read it, with as many characters."""
        return self.document

    def token(self, noted: Noted, raw: str) -> Token:
        """What was noted, which is written `raw`."""
        if noted.kind != "text":
            values = tuple(_values(raw, noted.attributes)) if noted.attributes else ()
            return Token(raw, noted.kind, noted.name, self.is_inline(noted.name), noted.kept, values=values)
        text = html.unescape(raw)
        unknown = text == raw and ENTITY.fullmatch(raw) is not None
        return Token(raw, "word") if unknown else Token(raw, "text", text=text)

    def is_inline(self, name: str) -> bool:
        """Whether a tag called so stands within a sentence: what has no name does, and what the page has named."""
        return not name or name in INLINE or "-" in name

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start("other" if tag in EMPTY_TAGS else "start", tag, dict(attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._start("other", tag, dict(attrs))

    def _start(self, kind: Kind, tag: str, values: Mapping[str, str | None]) -> None:
        hidden = (values.get("translate") or "").lower() == "no" or "notranslate" in (values.get("class") or "").split()
        kept = hidden or tag in UNTOUCHED or tag in self.ignored
        attributes = frozenset() if hidden or tag in self.ignored else TEXT_VALUES & values.keys()
        described = values.get("name") or values.get("property") or ""
        if tag == "meta" and described.lower() in DESCRIPTIONS:
            attributes |= {"content"}
        elif tag == "input" and (values.get("type") or "").lower() in BUTTONS:
            attributes |= {"value"}
        self.note(kind, tag, kept, attributes)

    def handle_endtag(self, tag: str) -> None:
        self.note("other" if tag in EMPTY_TAGS else "end", tag)

    def handle_data(self, data: str) -> None:
        self.note("text")

    def handle_entityref(self, name: str) -> None:
        self.note("text")

    def handle_charref(self, name: str) -> None:
        self.note("text")

    def handle_comment(self, data: str) -> None:
        self.note("other")

    def handle_decl(self, decl: str) -> None:
        self.note("other")

    def handle_pi(self, data: str) -> None:
        self.note("other")

    def unknown_decl(self, data: str) -> None:
        self.note("other")

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """`<![` with what is no section: a comment, as browsers have it."""
        line, column = self.getpos()
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            self.lineno, self.offset = line, column  # it has moved on to what it could not read
            return self.parse_bogus_comment(i)

    def note(self, kind: Kind, name: str = "", kept: bool = False, attributes: frozenset[str] = frozenset()) -> None:
        """Note what begins where the parser stands."""
        self._noted.append(Noted(self.place, kind, name, kept, attributes))

    @property
    def place(self) -> int:
        """Where in the document the parser stands."""
        line, column = self.getpos()
        return self._lines[line - 1] + column


def _values(tag: str, attributes: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Where the values of `attributes` stand in `tag`."""
    for match in ATTRIBUTE.finditer(tag):
        if match[1].lower() in attributes and match.lastindex is not None:
            yield match.span(match.lastindex)
