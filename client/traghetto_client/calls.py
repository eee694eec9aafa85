"""Calls as plain data: what is sent, how the answer is read, how long lists are split, when a call is made again."""

from __future__ import annotations

import functools
import json
import random
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, NotRequired, TypedDict, TypeVar
from urllib.parse import quote

import httpx

from traghetto_client.answers import Correction, Model, Readiness, Translation, Usage, read_as
from traghetto_client.errors import ApiError, ConnectionFailed, TooManyRequests, TraghettoError, Unavailable, error_of

Language = Literal["it", "en"]
T = TypeVar("T")
WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Where the server names no wait it is drawn between 0 and the next of these; the last one is for all further ones."""


@dataclass(frozen=True)
class Settings:
    """How patient a client is, and how much it sends at once. `random` is there for tests."""

    timeout_s: float = 60.0  # for the next bytes of an answer; the server gives up after 30 s unless told otherwise
    tries: int = 5  # of each request, the first one counted
    max_wait_s: float = 60.0  # between them, in all; who is asked to wait longer gets the error at once
    max_texts: int = 100  # of a request; a longer list becomes several. The server's own limits unless it was told
    max_chars: int = 50_000  # otherwise, both
    at_once: int = 4  # requests of one list that `AsyncTraghetto` has on their way
    random: Callable[[], float] = random.random


class Options(TypedDict, total=False):
    """Of a translation, as docs/api.md has them. What is left out is the server's choice, and `source` is `auto`."""

    source: Literal["it", "en", "auto"]
    format: Literal["text", "html", "xml", "markdown"]
    split: Literal["auto", "lines", "none"]
    ignore_tags: Sequence[str]
    alternatives: int
    beam: int | None
    details: bool
    prefix: str | None
    memory: bool
    log_consent: bool


class Proposal(TypedDict):
    """A correction that is sent in."""

    source: Language
    target: Language
    source_text: str
    machine_translation: str
    corrected_translation: str
    model_version: NotRequired[str | None]


# --- a call -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, however often it is sent."""

    path: str
    read: Callable[[Any], T]
    """From JSON. Raises KeyError, TypeError or ValueError if it is something else."""
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    also: int | None = None
    """A status besides success that comes with an answer."""
    offset: int = 0
    """Which text of a longer list the first one is."""

    def request(self, http: httpx.Client | httpx.AsyncClient) -> httpx.Request:
        """What is sent. A lone surrogate is for the server to refuse."""
        if self.body is None:
            return http.build_request("GET", self.path)
        content = json.dumps(self.body, ensure_ascii=False).encode("utf-8", "surrogatepass")
        headers = {"Content-Type": "application/json", **self.headers}
        return http.build_request("POST", self.path, content=content, headers=headers)

    def answer(self, response: httpx.Response) -> T:
        """What `response` holds. Raises `ApiError` if that is an error, or nothing that is known here."""
        text = response.text
        if self.offset and response.is_error:
            text = re.sub(r"\btext\[(\d+)\]", lambda found: f"text[{int(found[1]) + self.offset}]", text)
        data = None
        try:
            data = json.loads(text)
            if response.is_success or response.status_code == self.also:
                return self.read(data)
        except (KeyError, TypeError, ValueError):
            pass  # an error like any other: no answer of Traghetto's
        raise error_of(response, data)


def translate(
    text: str | Sequence[str], options: Mapping[str, Any], settings: Settings
) -> Iterator[Call[list[Translation]]]:
    """One call for a text, as many as it takes for a list."""
    body = {"source": "auto", **options}
    if isinstance(text, str):
        yield Call("v1/translate", functools.partial(_translations, 1), {**body, "text": text})
        return
    offset = 0
    for batch in batches(text, settings):
        read = functools.partial(_translations, len(batch))
        yield Call("v1/translate", read, {**body, "text": list(batch)}, offset=offset)
        offset += len(batch)


def batches(texts: Sequence[str], settings: Settings) -> Iterator[Sequence[str]]:
    """`texts` in order, as many at once as a request may hold. One that is too long goes alone, to be refused."""
    begin = chars = 0
    for end, text in enumerate(texts):
        if end > begin and (end - begin >= settings.max_texts or chars + len(text) > settings.max_chars):
            yield texts[begin:end]
            begin, chars = end, 0
        chars += len(text)
    if begin < len(texts):
        yield texts[begin:]


def _translations(count: int, data: Any) -> list[Translation]:
    found = [read_as(Translation, one) for one in data["translations"]]
    if len(found) != count:
        raise ValueError(f"{len(found)} translations of {count} texts")
    return found


def correct(proposal: Proposal) -> Call[Correction]:
    """Made once, however often it must be sent: all tries have one key."""
    key = {"Idempotency-Key": str(uuid.uuid4())}
    return Call("v1/corrections", functools.partial(read_as, Correction), proposal, key)


def correction(id: str) -> Call[Correction]:
    """What became of the correction `id`."""
    return Call(f"v1/corrections/{quote(id, safe='')}", functools.partial(read_as, Correction))


MODELS: Call[list[Model]] = Call("v1/models", lambda data: [read_as(Model, one) for one in data["models"]])
READY: Call[Readiness] = Call("health/ready", functools.partial(read_as, Readiness), also=503)
USAGE: Call[Usage] = Call("v1/usage", functools.partial(read_as, Usage))

# --- once more? -------------------------------------------------------------------------------------------------------


def wait_s(error: TraghettoError, pauses_s: Sequence[float], settings: Settings) -> float | None:
    """How long to wait after `error`, before which there were pauses of `pauses_s`; None: do not try again."""
    if not isinstance(error, ConnectionFailed | TooManyRequests | Unavailable) or len(pauses_s) + 1 >= settings.tries:
        return None
    asked = None
    if isinstance(error, ApiError):
        asked = error.retry_after_s
        if error.type == "limit-reached":  # until people have decided about corrections
            return None
    if asked is None:
        asked = settings.random() * WAITS_S[min(len(pauses_s), len(WAITS_S) - 1)]
    return asked if sum(pauses_s) + asked <= settings.max_wait_s else None


def next_pause_s(error: httpx.RequestError | ApiError, pauses_s: Sequence[float], settings: Settings) -> float:
    """The same, but raises `error`, as one of ours, if there is no other try."""
    ours = error if isinstance(error, ApiError) else ConnectionFailed(_told(error))
    pause_s = wait_s(ours, pauses_s, settings)
    if pause_s is None:
        raise ours from (None if ours is error else error)
    return pause_s


def _told(error: httpx.RequestError) -> str:
    return f"{error.request.method} {error.request.url}: {type(error).__name__}: {error}"
