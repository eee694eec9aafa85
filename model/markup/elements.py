"""Elements of a document: those that are kept whole, as one token, and those that hold no text, as one too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from model.markup.tokens import Kind, Token

ENDS_ITSELF = {
    "p": "p", "li": "li", "dt": "dt dd", "dd": "dt dd", "td": "td th", "th": "td th", "tr": "tr", "option": "option",
}  # fmt: skip
"""HTML elements whose end tag may be missing, and before which tags they end then."""

RAISED = ("sup", "sub")
MOST_RAISED = 6
"""Characters of a figure, a mark of a note, the end of an ordinal."""


class Placed(NamedTuple):
    """A token, and where in the document it begins."""

    token: Token
    start: int


def whole_elements(tokens: Sequence[Placed]) -> Iterator[Placed]:
    """`tokens` with each element that is not translated as one token, a word."""
    index = 0
    while index < len(tokens):
        placed = tokens[index]
        if placed.token.kept:
            end = _end_of(tokens, index)
            raw = "".join(token.raw for token, _ in tokens[index:end])
            yield Placed(placed.token._replace(raw=raw, kind="word"), placed.start)
            index = end
        else:
            yield placed
            index += 1


def joined_elements(block: Sequence[Placed]) -> list[Placed]:
    """`block` with each element that holds no text, such as an icon or a link around code, as one token."""
    found: list[Placed] = []
    for placed in block:
        start = _start_of(found, placed.token.name) if placed.token.kind == "end" else None
        if start is None:
            found.append(placed)
        else:
            word = any(token.kind == "word" for token, _ in found[start:])
            found[start:] = [_merged([*found[start:], placed], "word" if word else "other")]
    return _with_figures(found)


def _with_figures(block: Sequence[Placed]) -> list[Placed]:
    """`block` with each raised or lowered text as one token: within a word it is a part of that."""
    found: list[Placed] = []
    for row, placed in enumerate(block):
        if placed.token.kind == "end" and placed.token.name in RAISED and len(found) > 1 and _is_raised(found[-2:]):
            after = block[row + 1].token.text if row + 1 < len(block) else ""
            found[-2:] = [_merged([*found[-2:], placed], "word" if after[:1].isalnum() else "other")]
        else:
            found.append(placed)
    return found


def _is_raised(pair: Sequence[Placed]) -> bool:
    (first, _), (second, _) = pair
    return first.kind == "start" and first.name in RAISED and second.kind == "text" and len(second.text) <= MOST_RAISED


def _merged(block: Sequence[Placed], kind: Kind) -> Placed:
    first = block[0].start
    values = [(start - first + begin, start - first + end) for token, start in block for begin, end in token.values]
    raw = "".join(token.raw for token, _ in block)
    return Placed(Token(raw, kind, block[0].token.name, values=tuple(values)), first)


def _start_of(found: Sequence[Placed], name: str) -> int | None:
    """Where the element begins that an end tag ends, if nothing but what is kept stands between."""
    for place in range(len(found) - 1, -1, -1):
        token = found[place].token
        if token.kind == "start" and token.name == name:
            return place
        if token.kind in ("text", "end", "start"):
            return None
    return None


def _end_of(tokens: Sequence[Placed], index: int) -> int:
    """The index behind the element that begins at `index`; where its end tag is missing, where its parent ends."""
    if tokens[index].token.kind != "start":
        return index + 1
    open_: list[str] = []
    for place in range(index, len(tokens)):
        token = tokens[place].token
        if token.kind in ("start", "end"):
            ended = _close(open_, token)
            if not open_ and place > index:
                return place + 1 if ended else place
            if token.kind == "start":
                open_.append(token.name)
    return len(tokens)


def _close(open_: list[str], token: Token) -> bool:
    """Take from `open_` the elements that end at the tag `token`, and say whether it is an end tag of one."""
    if token.kind == "start":
        if open_ and token.name in ENDS_ITSELF.get(open_[-1], "").split():
            open_.pop()
        return False
    while open_ and open_[-1] != token.name and open_[-1] in ENDS_ITSELF:
        open_.pop()
    if open_ and open_[-1] == token.name:
        open_.pop()
        return True
    return False
