"""The text of a TMX segment: what of the elements that stand in it is text, and what is the code of some editor.

    <seg>Apri la <g id="1">finestra</g>.</seg>        Apri la finestra.      text elements give their text
    <seg><ph>{0}</ph> posti</seg>                     {0} posti              a code that holds a variable gives that
    <seg>uno<ph>&lt;br/&gt;</ph>due</seg>             uno due                a code that breaks the line gives a space
    <seg>im<bpt i="1">&lt;b&gt;</bpt>possibile</seg>  impossibile            a code that only formats gives nothing
    <seg>uno<ph x="1"/>due</seg>                      uno due                of others words stay apart, no more

What cannot be known is refused, since what is read here answers from memory and is trained on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import etree

from model.text.kept.spans import SPAN

FORMAT_NAMES = "a abbr b big cite code del em font i ins kbd mark q s small span strike strong sub sup tt u var"
FORMATS = frozenset(FORMAT_NAMES.split())
"""Tags that stand within a line of text, and often within a word."""
BREAK_NAMES = "br dd div dl dt h1 h2 h3 h4 h5 h6 hr lb li ol p par pb tab table tbody td th thead tr ul x-br x-lb"
BREAKS = frozenset(BREAK_NAMES.split())
"""Tags, and types of codes, that part what stands before from what stands after."""
TEXTS = frozenset(("g", "hi", "mrk", "pc")) | FORMATS
"""Elements whose content is text: TMX has `hi`, XLIFF the others, and careless programs write HTML."""
PAIRED = frozenset(("bpt", "ept", "it", "bx", "ex", "sc", "ec"))
"""Codes where something begins or ends, as a rule a format."""
CODES = PAIRED | {"ph", "ut", "x"}
TAG_NAME = re.compile(r"</?\s*([A-Za-z][\w:-]*)")
BREAK = re.compile(r"(?:\s|\\[nrt]|\\(?:line|par|tab)\b)+")
"""White space, its escapes in programs, and RTF's words for it."""
VARIABLE = re.compile(
    r"%\d{1,2}|%\w{1,40}%|\$\w{1,40}|\$\([\w.]{1,40}\)|#\{[^{}]{1,40}\}|\[\[?\w{1,40}\]?\]|<%[^%]{1,100}%>"
)
"""Besides the placeholders that `model.text.kept.spans` knows, where a code is nothing else."""
APART = "\0"
"""Stands for a code of which nothing is known; no XML holds this character."""
BETWEEN_WORDS = re.compile(rf"(?<=\w){APART}+(?=\w)")


class Refused(Exception):
    """Why a unit, or a file, is no correction."""


def plain(segment: Any) -> str:
    """The text of a `seg`.

    Raises:
        Refused: it holds something of which cannot be known whether it is text.
    """
    if len(segment) == 0:
        return segment.text or ""
    text = BETWEEN_WORDS.sub(" ", "".join(_pieces(segment))).replace(APART, "")
    return " ".join(text.split())


def _pieces(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        if child.tag is etree.Entity:
            raise Refused(f"uses the entity &{child.name};, which is not declared")
        if isinstance(child.tag, str):  # not a comment
            yield from _pieces_of(child, etree.QName(child).localname)
        yield child.tail or ""


def _pieces_of(child: Any, name: str) -> Iterator[str]:
    if name in TEXTS:
        yield from _pieces(child)
    elif name in CODES:
        yield _code(child, name)
    elif "".join(child.itertext()).strip():
        raise Refused(f"holds the element <{name}>, of which is not known whether it is text")
    else:
        yield " " if name in BREAKS else APART


def _code(element: Any, name: str) -> str:
    """What a code is in the text: a variable, a space, or nothing."""
    if len(element) > 0:  # a footnote, the text of an attribute: it has no place in the sentence
        raise Refused(f"holds a text of its own within the code <{name}>")
    content = element.text or ""
    if variables := _variables(content):
        return variables
    tag = TAG_NAME.match(content.strip())
    kind = tag.group(1) if tag is not None else element.get("type") or element.get("ctype") or ""
    if BREAK.fullmatch(content) or kind.lower() in BREAKS:
        return " "
    return "" if name in PAIRED or kind.lower() in FORMATS else APART


def _variables(content: str) -> str:
    if VARIABLE.fullmatch(content.strip()):
        return content.strip()
    found = (match.group() for match in SPAN.finditer(content) if match.lastgroup == "placeholder")
    return " ".join(one for one in found if "\\" not in one)
