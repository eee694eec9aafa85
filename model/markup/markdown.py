"""Markdown as tokens, by the positions that pulldown-cmark tells (CommonMark and GitHub's tables, tasks, footnotes).

Code, HTML's own tags, addresses and what tells a block from another are kept byte for byte; texts of links and of
pictures are translated. HTML in it is read as such.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, cast

from model.markup.html import entity_writers, read_html
from model.markup.tokens import Document, Notation, Token
from model.text.segments import UNREADABLE

INLINE = frozenset(["Emphasis", "Strong", "Strikethrough", "Superscript", "Subscript", "Link"])
"""Elements that stand within a sentence; all others are blocks."""
KEPT_BLOCKS = frozenset(["CodeBlock", "MetadataBlock"])
WORDS = frozenset(["Code", "InlineMath", "DisplayMath", "FootnoteReference"])
BLOCK_BEGINS = re.compile(r"\n(?=[ \t]*(?:[-+*>#=|~`:]|\d{1,9}[.)]))")
"""A line that would be no text any more."""
BY_THEIR_TEXT = frozenset(["Autolink", "Email", "Shortcut", "Collapsed"])
"""Links whose text is their address, or the name of one."""


def read_markdown(document: str, ignored: Iterable[str] = ()) -> Document:
    """Read `document`; of HTML's tags in it those called as one of `ignored` keep their content. No text is refused."""
    tokens = [token for token in _Reader(document, ignored).tokens() if token.raw or not token.inline]
    texts = [token for token in tokens if token.kind == "text" and token.text != "\n"]
    bare = {char for token in texts if token.text == token.raw for char in token.text}
    written = {token.text: token.raw for token in texts if token.text != token.raw and len(token.text) == 1}
    escaped = {char: raw for char, raw in written.items() if char not in bare or raw[0] == "\\" or char in "<&"}
    table = str.maketrans(escaped)
    value_in_html = entity_writers({}, document)[1]

    def value(before: str, text: str) -> str:
        return text.translate(table) if before == "[" else value_in_html(before, text)

    def text_of(text: str) -> str:
        return BLOCK_BEGINS.sub(" ", text).translate(table)

    return Document(tokens, Notation(text_of, value, html.unescape))


class _Event(NamedTuple):
    """What the library tells, with places in bytes."""

    name: str
    """`Start` and `End` of an element, `Text`, `Code` …"""
    about: Any
    """Which element, or the text."""
    start: int
    end: int

    @property
    def element(self) -> str:
        """The name of the element that starts or ends."""
        return self.about if isinstance(self.about, str) else next(iter(self.about))


def _events(document: str) -> Iterator[_Event]:
    from pyromark import Options, events_with_range

    options = (
        Options.ENABLE_TABLES
        | Options.ENABLE_TASKLISTS
        | Options.ENABLE_STRIKETHROUGH
        | Options.ENABLE_FOOTNOTES
        | Options.ENABLE_GFM
        | Options.ENABLE_HEADING_ATTRIBUTES
        | Options.ENABLE_YAML_STYLE_METADATA_BLOCKS
    )
    for event, place in events_with_range(UNREADABLE.sub("\ufffd", document), options=options):
        name, about = (event, "") if isinstance(event, str) else next(iter(cast("dict[str, Any]", event).items()))
        yield _Event(name, about, place["start"], place["end"])


class _Reader:
    """Turns events into tokens that leave no gap."""

    def __init__(self, document: str, ignored: Iterable[str]) -> None:
        self._events, self._ignored = _events(document), tuple(ignored)
        self._data = document.encode(errors="surrogatepass")
        self._done = 0
        self._pending: Token | None = None
        """A token that lasts until the next event."""

    def tokens(self) -> Iterator[Token]:
        """All parts; joined they are the document again."""
        for event in self._events:
            start = event.start
            if event.name == "Text" and start > self._done and self._data[start - 1 : start] == b"\\":
                start -= 1  # it is escaped
            if event.name != "End":
                yield from self._gap(start)
            yield from self._read(event)
        yield from self._gap(len(self._data))

    def _gap(self, end: int) -> Iterator[Token]:
        """What stands between two events belongs to the one before."""
        if self._pending is not None or end > self._done:
            yield self._until(end, self._pending or Token("", "other", inline=False))
        self._pending = None

    def _until(self, end: int, token: Token) -> Token:
        raw = self._data[self._done : end].decode(errors="surrogatepass")
        self._done = max(self._done, end)
        return token._replace(raw=raw)

    def _read(self, event: _Event) -> Iterator[Token]:
        if event.name == "Start":
            yield from self._start(event)
        elif event.name == "End":
            yield self._end(event)
        elif event.name == "Text":
            yield from self._text(event)
        elif event.name == "SoftBreak":
            self._pending = Token("", "text", text="\n")
        elif event.name in WORDS:
            yield self._until(event.end, Token("", "word"))
        elif event.name == "InlineHtml":
            raw = self._data[event.start : event.end].decode()
            self._done = event.end
            yield from read_html(raw, self._ignored).tokens
        else:  # a break of lines, a rule, the box of a task
            self._pending = Token("", "other", inline=False)

    def _start(self, event: _Event) -> Iterator[Token]:
        element = event.element
        link = event.about["Link"]["link_type"] if element == "Link" else ""
        if element in KEPT_BLOCKS:
            list(self._inside())
            yield self._until(event.end, Token("", "other", inline=False))
        elif element == "HtmlBlock":
            yield from self._html(event)
        elif element == "Image":
            yield self._image(event)
        elif link in BY_THEIR_TEXT:
            list(self._inside())
            collapsed = 2 if self._data.startswith(b"[]", event.end) else 0
            yield self._until(event.end + collapsed, Token("", "word"))
        else:
            inline = element in INLINE
            self._pending = Token("", "start" if inline else "other", element, inline)

    def _end(self, event: _Event) -> Token:
        empty = self._pending is not None
        self._pending = None
        inline = event.element in INLINE
        return self._until(event.end, Token("", "end" if inline and not empty else "other", event.element, inline))

    def _inside(self) -> Iterator[_Event]:
        """The events up to the end of the element that has started."""
        depth = 1
        while depth:
            event = next(self._events)
            depth += {"Start": 1, "End": -1}.get(event.name, 0)
            yield event

    def _html(self, event: _Event) -> Iterator[Token]:
        lines = [one for one in self._inside() if one.name == "Html"]
        whole = sum(one.end - one.start for one in lines) == event.end - event.start
        token = self._until(event.end, Token("", "other", inline=False))
        yield from read_html(token.raw, self._ignored).tokens if whole else (token,)

    def _image(self, event: _Event) -> Token:
        inner = [one for one in self._inside() if one.name != "End"]
        token = self._until(event.end, Token("", "other"))
        if len(inner) != 1 or inner[0].name != "Text":
            return token
        start, end = (
            len(self._data[event.start : place].decode(errors="surrogatepass"))
            for place in (inner[0].start, inner[0].end)
        )
        return token._replace(values=((start, end),)) if token.raw[start:end] == inner[0].about else token

    def _text(self, event: _Event) -> Iterator[Token]:
        if self._done < event.start:  # a backslash
            length = len(event.about[:1].encode())
            yield self._until(event.start + length, Token("", "text", text=event.about[:1]))
        text = self._data[self._done : event.end].decode(errors="surrogatepass")
        read = event.about if self._done == event.start else event.about[1:]
        if read == UNREADABLE.sub("\ufffd", text):
            read = text
        odd = len(read) > 1 and read != text
        yield self._until(event.end, Token("", "word") if odd else Token("", "text", text=read))
