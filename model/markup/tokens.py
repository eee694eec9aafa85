"""What the readers of HTML, XML and Markdown give: a document as a sequence of tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

Kind = Literal["text", "start", "end", "other", "word"]
"""`other`: what stands alone, such as a comment or `<br/>`; `word`: what is kept whole and stands for a word."""


class Token(NamedTuple):
    """A part of a document; the `raw` of all tokens joined is the document."""

    raw: str
    kind: Kind
    name: str = ""
    """Of a tag."""
    inline: bool = True
    """It stands within a sentence; other tags end it."""
    kept: bool = False
    """A start tag whose content is not translated."""
    text: str = ""
    """What a text means, as people see it."""
    values: tuple[tuple[int, int], ...] = ()
    """Where in `raw` there are values that are translated too, such as a title."""


class Notation(NamedTuple):
    """How a kind of document writes what people see."""

    text: Callable[[str], str]
    value: Callable[[str, str], str]
    """A tag's value, behind a certain character, such as a quote."""
    read_value: Callable[[str], str]
    """A value as people see it."""


class Document(NamedTuple):
    """A document that was read."""

    tokens: list[Token]
    notation: Notation
