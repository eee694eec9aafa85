"""HTML -> a plan of its sentences, in which inline tags are single signs, and back.

    <p>Leggi <b>qui</b>.</p>  ->  "<p>" | "Leggi ⟨1⟩qui⟨2⟩." | "</p>"  ->  "<p>" | "Read ⟨1⟩here⟨2⟩." | "</p>"

What is not text is kept byte for byte: tags, comments, scripts, styles, code, and what says translate="no". The
standard library's parser reads any text, broken markup too; where a tag begins and ends is told by its positions, so
that nothing is written anew.
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import NamedTuple

from model.markup.tags import FIRST_SIGN, LAST_SIGN
from model.text.lines import Passage
from model.text.plan import Plan
from model.text.segments import Segment, segments_of

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
WORDS_FROM = 0x10000
"""So much further up are the signs of what is a word of the sentence, such as code: `model.text.guard` keeps those."""
ANY_SIGN = re.compile("[\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
NO_BREAK_SPACE, HIDDEN_SPACE = "\u00a0", chr(LAST_SIGN)
"""Between sentences too these are entities again, but for those in what is kept."""


class _Token(NamedTuple):
    raw: str
    kind: str
    """`start`, `end`, `text`, `other`, or `word`: an element that is kept whole, and stands for a word."""
    tag: str = ""
    untouched: bool = False
    """A start tag whose content is not translated."""


@dataclass(frozen=True)
class HtmlPlan(Plan):
    """A document, taken apart."""

    signs: Sequence[str] = ()
    """What each private character stands for."""
    spaces: bool = False
    """Whether the document writes no-break spaces as entities."""

    def encoded(self, text: str) -> str:
        """A sentence, or its translation, as HTML."""
        escaped = html.escape(text, quote=False)
        if self.spaces:
            escaped = escaped.replace(NO_BREAK_SPACE, "&nbsp;")
        return ANY_SIGN.sub(lambda match: self._of(match.group()), escaped)

    def shown(self, text: str) -> str:
        """A sentence without its tags."""
        return ANY_SIGN.sub("", text)

    def _of(self, sign: str) -> str:
        number = (ord(sign) - FIRST_SIGN) % WORDS_FROM
        return self.signs[number] if number < len(self.signs) else sign


def plan_html(document: str, language: str) -> HtmlPlan:
    """Take `document` apart at its blocks, and these at their sentences. No text is refused."""
    signs: list[str] = []
    passages = _passages(_tokens(document), signs)
    if "&nbsp;" not in document:
        return HtmlPlan(segments_of(passages, language), signs)
    hidden = (Passage(text.replace(NO_BREAK_SPACE, HIDDEN_SPACE) if kept else text, kept) for text, kept in passages)
    segments = [
        Segment(one.text, one.separator_after.replace(NO_BREAK_SPACE, "&nbsp;").replace(HIDDEN_SPACE, NO_BREAK_SPACE))
        for one in segments_of(hidden, language)
    ]
    return HtmlPlan(segments, signs, spaces=True)


def _passages(tokens: Sequence[_Token], signs: list[str]) -> Iterator[Passage]:
    """What is kept, and blocks of text in which each inline tag is a sign; `signs` is filled."""
    block: list[_Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        if token.untouched:
            end = _end_of(tokens, index)
            token = _Token("".join(one.raw for one in tokens[index:end]), "word", token.tag)
            index = end - 1
        index += 1
        if token.kind in ("text", "other") or token.tag in INLINE:
            block.append(token)
        else:
            yield from _block(block, signs)
            block = []
            yield Passage(token.raw, kept=True)
    yield from _block(block, signs)


def _block(block: Sequence[_Token], signs: list[str]) -> Iterator[Passage]:
    """The passage that a block is; kept as it is where it has no words, or more tags than there are signs."""
    raw = "".join(token.raw for token in block)
    room = len(signs) + 2 * len(block) < LAST_SIGN - FIRST_SIGN
    words = html.unescape(" ".join(token.raw for token in block if token.kind == "text"))
    if not room or not any(map(str.isalpha, words)):
        yield Passage(raw, kept=True)
        return
    text = ""
    open_: defaultdict[str, list[int]] = defaultdict(list)
    for token in _joined(block):
        decoded = html.unescape(token.raw)
        if token.kind == "text" and not ANY_SIGN.search(decoded):
            text += decoded
            continue
        if token.kind == "end" and open_[token.tag]:
            number = open_[token.tag].pop() + 1
            signs[number] = token.raw
        else:
            number = len(signs)
            signs += [token.raw, ""]  # the second for what ends it
            if token.kind == "start" and token.tag not in EMPTY_TAGS:
                open_[token.tag].append(number)
        text += chr(FIRST_SIGN + number + (WORDS_FROM if token.kind == "word" else 0))
    yield Passage(text, kept=False)


def _joined(block: Sequence[_Token]) -> list[_Token]:
    """`block` with each element that holds no text, such as an icon or a link around code, as one token."""
    found: list[_Token] = []
    for token in block:
        start = _start_of(found, token.tag) if token.kind == "end" else None
        if start is None:
            found.append(token)
            continue
        inner = found[start:]
        word = any(one.kind == "word" for one in inner)
        found[start:] = [_Token("".join(one.raw for one in (*inner, token)), "word" if word else "other", token.tag)]
    return found


def _start_of(found: Sequence[_Token], tag: str) -> int | None:
    """Where the element begins that an end tag ends, if nothing but what is kept stands between."""
    for place in range(len(found) - 1, -1, -1):
        token = found[place]
        if token.kind == "start" and token.tag == tag:
            return place
        if token.kind in ("text", "end") or (token.kind == "start" and token.tag not in EMPTY_TAGS):
            return None
    return None


def _end_of(tokens: Sequence[_Token], index: int) -> int:
    """The index behind the element that begins at `index`."""
    tag, depth = tokens[index].tag, 0
    if tag in EMPTY_TAGS or tokens[index].raw.endswith("/>"):
        return index + 1
    for place in range(index, len(tokens)):
        if tokens[place].tag == tag:
            depth += 1 if tokens[place].kind == "start" else -1
        if depth == 0:
            return place + 1
    return len(tokens)


def _tokens(document: str) -> list[_Token]:
    """Tags, texts, comments and others; joined they are `document` again."""
    reader = _Reader(document)
    tags_end = document.rfind(">") + 1  # the parser would look for the end of each tag that begins behind it
    reader.feed(document[:tags_end])
    reader.close()
    if tags_end and (not reader.found or reader.found[0][0] > 0):
        reader.found.insert(0, (0, "other", "", False))  # the parser passes over what is no tag, such as `</>`
    if tags_end < len(document):
        reader.found.append((tags_end, "text", "", False))
    ends = [start for start, _, _, _ in reader.found[1:]] + [len(document)]
    return [
        _Token(document[start:end], kind, tag, untouched)
        for (start, kind, tag, untouched), end in zip(reader.found, ends, strict=False)
        if end > start
    ]


class _Reader(HTMLParser):
    """Notes where each part begins."""

    def __init__(self, document: str) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[tuple[int, str, str, bool]] = []
        self._lines = [0, *(match.end() for match in re.finditer("\n", document))]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        hidden = values.get("translate") == "no" or "notranslate" in (values.get("class") or "").split()
        self._note("start", tag, tag in UNTOUCHED or hidden)

    def handle_endtag(self, tag: str) -> None:
        self._note("end", tag)

    def handle_data(self, data: str) -> None:
        self._note("text")

    def handle_entityref(self, name: str) -> None:
        self._note("text")

    def handle_charref(self, name: str) -> None:
        self._note("text")

    def handle_comment(self, data: str) -> None:
        self._note("other")

    def handle_decl(self, decl: str) -> None:
        self._note("other")

    def handle_pi(self, data: str) -> None:
        self._note("other")

    def unknown_decl(self, data: str) -> None:
        self._note("other")

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """`<![` with what is no section: a comment, as browsers have it."""
        line, column = self.getpos()
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:
            self.lineno, self.offset = line, column  # it has moved on to what it could not read
            return self.parse_bogus_comment(i)

    def _note(self, kind: str, tag: str = "", untouched: bool = False) -> None:
        line, column = self.getpos()
        self.found.append((self._lines[line - 1] + column, kind, tag, untouched))
