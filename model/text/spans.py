"""Parts of a text that a translation must keep as they are: placeholders, markup, web and mail addresses.

Every pattern is linear in the length of the text, whatever the text is: it comes from strangers.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

URL = r"(?:https?|ftp)://[^\s<>\"']+|(?<![\w.])www\.[^\s<>\"']+"
MAIL = r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"
TAG = r"</?[A-Za-z][\w:-]{0,40}(?:\s[^<>]*)?/?>"
BRACES = r"\{\{[^{}]{0,100}\}\}|\$?\{[^{}\s]{0,100}\}"
PRINTF = (
    r"(?<![\d%])%(?:%|(?:\d{1,2}\$)?(?:\([^()\s]{1,50}\))?[-+#0]{0,4}(?:\d{1,3}|\*)?(?:\.\d{1,3})?"
    r"(?:hh|h|ll|l|L|z)?[sdiouxXeEfFgGcr@](?![A-Za-z]))"
)
COLONS = r"(?<![\w:]):[a-z][a-z0-9_+-]{0,40}:(?![\w:])"
SPAN = re.compile(f"(?P<address>{URL}|{MAIL})|(?P<tag>{TAG})|(?P<placeholder>{BRACES}|{PRINTF}|{COLONS})")
SENTENCE_ENDS = ".,;:!?)]}»”’"
"""What follows an address in a sentence and is no part of it."""
TAG_NAME = re.compile(r"</?[A-Za-z][\w:-]*")


def kept_spans(text: str) -> Counter[str]:
    """How often each such part stands in `text`. Of a tag only the name counts: `<a href="x">` is `<a>`."""
    return Counter(_canonical(match) for match in SPAN.finditer(text))


def without_spans(text: str) -> str:
    """`text` with a space for each of these parts, for what looks at its language."""
    return SPAN.sub(" ", text)


def missing_spans(source: str, target: str) -> Iterator[str]:
    """The parts of `source` that stand nowhere in `target`, in their order."""
    there = kept_spans(target)
    return (span for span in kept_spans(source) if span not in there)


def miscounted_spans(source: str, target: str) -> Iterator[str]:
    """The parts that stand in `target`, but not as often as in `source`."""
    wanted = kept_spans(source)
    return (span for span, count in kept_spans(target).items() if wanted[span] != count)


def _canonical(match: re.Match[str]) -> str:
    if match.lastgroup == "tag":
        name = TAG_NAME.match(match.group())
        return f"{name.group().lower()}>" if name else match.group()
    return match.group().rstrip(SENTENCE_ENDS) if match.lastgroup == "address" else match.group()
