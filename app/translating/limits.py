"""What every dialect's body becomes, and what it may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from app.engine.tickets import Priority
from app.errors import FieldError, InvalidRequest
from app.settings import Settings
from model.markup.formats import Format
from model.text.lines import Split

MAX_PREFIX_BYTES = 600
"""Each may cost a step of the search; twice what the longest sentence that the network reads at once usually takes."""
MAX_IGNORED_TAGS = 100
FORBIDDEN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
"""Control characters that are not white space, and lone surrogates: no text has them, and databases refuse them."""

_UNFIT = r"\u0000-\u0008\u000e-\u001f\u007f-\u0084\u0086-\u009f"
FIT, FIT_NOT_BLANK = f"^[^{_UNFIT}]*$", rf"^[^{_UNFIT}]*[^{_UNFIT}\s][^{_UNFIT}]*$"
"""What a text may be, and one that is not only white space, as descriptions of the API say it (ECMA 262)."""


class TranslationRequest(NamedTuple):
    """What every dialect's body becomes."""

    texts: Sequence[str]
    source: str
    """`it`, `en` or `auto`."""
    target: str
    beam: int | None = None
    alternatives: int = 0
    field: str = "text"
    """What the dialect calls the texts; for error messages."""
    many: bool = True
    """Whether the client sent a list; for error messages."""
    priority: Priority = Priority.INTERACTIVE
    memory: bool = True
    """Whether approved corrections may answer."""
    format: Format = "text"
    split: Split = "auto"
    """Whether sentences end with their lines: see `model.text.lines`."""
    ignored_tags: Sequence[str] = ()
    """Tags of markup whose content is not translated."""
    prefix: str | None = None
    """What the translation of the one text must begin with, which then is one sentence; its alternatives differ in the
    word after it. None: nothing is begun."""


def check(request: TranslationRequest, settings: Settings) -> None:
    """Raise `InvalidRequest` with every limit that `request` passes."""
    errors = [*_check_options(request, settings), *_check_texts(request, settings)]
    if errors:
        raise InvalidRequest(errors)


def check_texts(request: TranslationRequest, settings: Settings) -> None:
    """The same for its texts alone, where they are only copied."""
    if errors := list(_check_texts(request, settings)):
        raise InvalidRequest(errors)


def _check_options(request: TranslationRequest, settings: Settings) -> Iterator[FieldError]:
    if request.source == request.target:
        yield FieldError("target", f"is the same as source ({request.source})")
    if request.beam is not None and request.beam > settings.max_beam:
        yield FieldError("beam", f"is {request.beam}; at most {settings.max_beam} is allowed", settings.max_beam)
    if request.alternatives > settings.max_alternatives:
        limit = settings.max_alternatives
        yield FieldError("alternatives", f"is {request.alternatives}; at most {limit} are allowed", limit)
    if (tags := len(request.ignored_tags)) > MAX_IGNORED_TAGS:
        yield FieldError("ignore_tags", f"has {tags} tags; at most {MAX_IGNORED_TAGS} are allowed", MAX_IGNORED_TAGS)
    if request.prefix is not None:
        yield from _check_prefix(request.prefix, request)


def _check_prefix(prefix: str, request: TranslationRequest) -> Iterator[FieldError]:
    if request.many:
        yield FieldError("prefix", "goes with one text, not with a list")
    if request.format != "text":
        yield FieldError("prefix", f"goes with plain text, not with {request.format}")
    if problem := text_problem(prefix, MAX_PREFIX_BYTES):
        yield FieldError("prefix", *problem)
    elif (size := len(prefix.encode())) > MAX_PREFIX_BYTES:
        yield FieldError("prefix", f"has {size} bytes; at most {MAX_PREFIX_BYTES} are allowed", MAX_PREFIX_BYTES)


def _check_texts(request: TranslationRequest, settings: Settings) -> Iterator[FieldError]:
    count = len(request.texts)
    if count == 0:
        yield FieldError(request.field, "is an empty list; at least one text is needed")
    if count > settings.max_texts:
        yield FieldError(
            request.field, f"has {count} texts; at most {settings.max_texts} are allowed", settings.max_texts
        )
        return
    total = 0
    for index, text in enumerate(request.texts):
        total += len(text)
        problem = text_problem(text, settings.max_chars)
        if problem is not None:
            yield FieldError(f"{request.field}[{index}]" if request.many else request.field, *problem)
    if total > settings.max_request_chars and count > 1:
        limit = settings.max_request_chars
        yield FieldError(request.field, f"has {total} characters in all; at most {limit} are allowed", limit)


def text_problem(text: str, max_chars: int) -> tuple[str, int | None] | None:
    """What is wrong with one text of any request, and the limit that it passes, if it is one; None if it is fit."""
    if len(text) > max_chars:
        return f"has {len(text)} characters; at most {max_chars} are allowed", max_chars
    found = FORBIDDEN.search(text)
    if found is None:
        return None
    name = "lone surrogate" if "\ud800" <= found.group() <= "\udfff" else "control character"
    return f"holds the {name} U+{ord(found.group()):04X} at character {found.start() + 1}", None
