"""What the server answers, as dataclasses, and how they are read from JSON. docs/api.md says what each field means."""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass
from datetime import date, datetime
from types import UnionType
from typing import Any


@dataclass(frozen=True)
class Word:
    """A word of a translation; `source_words` are the indexes of those that it renders."""

    text: str
    confidence: float
    source_words: tuple[int, ...]


@dataclass(frozen=True)
class Sentence:
    """A sentence of a text; `span` is where it stands in what was sent."""

    source_text: str
    span: tuple[int, int]
    text: str
    score: float | None
    from_memory: bool
    truncated: bool
    correction_id: str | None = None
    words: tuple[Word, ...] = ()
    alignment: tuple[tuple[int, int], ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Details:
    """With `details`."""

    sentences: tuple[Sentence, ...]


@dataclass(frozen=True)
class Alternative:
    """With `alternatives`: another translation of the whole text."""

    text: str
    score: float | None


@dataclass(frozen=True)
class Detected:
    """With `source="auto"`: which language the text is in."""

    language: str | None
    confidence: float
    looks_like: str | None = None


@dataclass(frozen=True)
class Translation:
    """One text, translated."""

    text: str
    source: str | None
    target: str
    model_version: str | None
    from_memory: bool
    score: float | None
    truncated: bool
    correction_ids: tuple[str, ...] = ()
    detected: Detected | None = None
    alternatives: tuple[Alternative, ...] = ()
    details: Details | None = None
    logged: bool | None = None


@dataclass(frozen=True)
class Correction:
    """What became of a correction. Its texts are told to who sent it and to reviewers, `marks` to reviewers."""

    id: str
    status: str
    state: str
    reason: str | None
    source: str
    target: str
    created_at: datetime
    changed_at: datetime
    trained_in: tuple[str, ...]
    confirmations: int
    source_text: str | None = None
    machine_translation: str | None = None
    corrected_translation: str | None = None
    model_version: str | None = None
    marks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """A model version on the server's disk."""

    pair: str
    version: str
    current: bool
    loaded: bool
    status: str
    size_bytes: int
    problem: str | None = None
    parent: str | None = None
    created: str | None = None
    corrections: int = 0
    scores: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class Readiness:
    """Whether the server translates (`status` is `ready`), and with which version of each pair."""

    status: str
    models: Mapping[str, str]
    database: str
    detail: str | None = None
    background: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Period:
    """From the day `start` up to `end`, which is the first one after it."""

    start: date
    end: date


@dataclass(frozen=True)
class Usage:
    """What a client has had translated this month, and may have: None is any number of characters."""

    client: str
    period: Period
    characters: int
    requests: int
    character_limit: int | None = None
    rates: Mapping[str, str] = field(default_factory=dict)


_hints = functools.cache(typing.get_type_hints)


def read_as(kind: Any, value: Any) -> Any:
    """JSON as `kind`; fields that are not known here are left out. Raises KeyError, TypeError or ValueError."""
    if isinstance(kind, type) and is_dataclass(kind):
        return kind(**{name: read_as(hint, value[name]) for name, hint in _hints(kind).items() if name in value})
    if typing.get_origin(kind) is tuple:
        return tuple(read_as(typing.get_args(kind)[0], one) for one in value or ())
    if typing.get_origin(kind) is UnionType:
        return None if value is None else read_as(typing.get_args(kind)[0], value)
    if kind in (date, datetime):
        moment = datetime.fromisoformat(value)
        return moment.date() if kind is date else moment
    return value
