"""The two clients, which only send and sleep: `Traghetto`, which blocks, and `AsyncTraghetto`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Self, Unpack, overload

import httpx

from traghetto_client import calls
from traghetto_client.answers import Correction, Model, Readiness, Translation, Usage
from traghetto_client.calls import Call, Language, Options, Proposal, Settings, T, next_pause_s
from traghetto_client.errors import ApiError

__version__ = "0.1.0"
DEFAULTS, DEFAULT_URL = Settings(), "http://127.0.0.1:8000"
CONNECT_TIMEOUT_S = 10.0


def _http_options(base_url: str, key: str | None, settings: Settings) -> dict[str, Any]:
    """What either client of httpx is made with. Raises ValueError if an address or a key cannot be used."""
    url = httpx.URL(base_url)
    if url.scheme not in ("http", "https") or not url.host or url.userinfo:
        raise ValueError("base_url: must be such as http://127.0.0.1:8000, without user and password")
    if key and not (key.isascii() and key.isprintable()):
        raise ValueError("key: holds characters that no key has, such as the end of a line")
    headers = {"User-Agent": f"traghetto-client/{__version__}"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    timeout = httpx.Timeout(settings.timeout_s, connect=min(CONNECT_TIMEOUT_S, settings.timeout_s))
    return {"base_url": url, "headers": headers, "timeout": timeout}


class Traghetto:
    """A client that blocks. Threads may share it. Every call raises `TraghettoError` if it fails."""

    def __init__(
        self, base_url: str = DEFAULT_URL, *, key: str | None = None, settings: Settings = DEFAULTS,
        transport: httpx.BaseTransport | None = None, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        """`transport` is one of httpx: for a proxy, or certificates of your own. `sleep` is there for tests."""
        self._settings, self._sleep = settings, sleep
        self._http = httpx.Client(transport=transport, **_http_options(base_url, key, settings))

    @overload
    def translate(self, text: str, *, target: Language, **options: Unpack[Options]) -> Translation: ...  # type: ignore[overload-overlap]
    @overload
    def translate(self, text: Sequence[str], *, target: Language, **options: Unpack[Options]) -> list[Translation]: ...
    def translate(self, text: str | Sequence[str], *, target: Language, **options: Unpack[Options]) -> Any:
        """One text, or a list of any length, in order. Without `source` the server finds the language."""
        parts = calls.translate(text, {**options, "target": target}, self._settings)
        found = [one for call in parts for one in self._do(call)]
        return found[0] if isinstance(text, str) else found

    def correct(self, **proposal: Unpack[Proposal]) -> Correction:
        """Send a correction in. It is made once, however often it must be sent."""
        return self._do(calls.correct(proposal))

    def correction(self, id: str) -> Correction:
        """What became of the correction `id`."""
        return self._do(calls.correction(id))

    def models(self) -> list[Model]:
        """The model versions on the server's disk; for reviewers."""
        return self._do(calls.MODELS)

    def ready(self) -> Readiness:
        """Whether the server translates. Not being ready is an answer, and no error."""
        return self._do(calls.READY)

    def usage(self) -> Usage:
        """What this client has had translated."""
        return self._do(calls.USAGE)

    def _do(self, call: Call[T]) -> T:
        pauses_s: list[float] = []
        while True:
            try:
                return call.answer(self._http.send(call.request(self._http)))
            except (httpx.RequestError, ApiError) as error:
                pauses_s.append(next_pause_s(error, pauses_s, self._settings))
            self._sleep(pauses_s[-1])

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._http.base_url)!r})"


class AsyncTraghetto:
    """The same for asyncio."""

    def __init__(
        self, base_url: str = DEFAULT_URL, *, key: str | None = None, settings: Settings = DEFAULTS,
        transport: httpx.AsyncBaseTransport | None = None, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        """As `Traghetto`."""
        self._settings, self._sleep = settings, sleep
        self._http = httpx.AsyncClient(transport=transport, **_http_options(base_url, key, settings))

    @overload
    async def translate(self, text: str, *, target: Language, **options: Unpack[Options]) -> Translation: ...  # type: ignore[overload-overlap]
    @overload
    async def translate(
        self, text: Sequence[str], *, target: Language, **options: Unpack[Options]
    ) -> list[Translation]: ...
    async def translate(self, text: str | Sequence[str], *, target: Language, **options: Unpack[Options]) -> Any:
        """As `Traghetto.translate`; a few requests of a long list are on their way at once."""
        parts = calls.translate(text, {**options, "target": target}, self._settings)
        gate = asyncio.Semaphore(self._settings.at_once)

        async def one(call: Call[list[Translation]]) -> list[Translation]:
            async with gate:
                return await self._do(call)

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(call)) for call in parts]
        except ExceptionGroup as failed:  # the first failure has ended the others
            raise failed.exceptions[0] from failed.exceptions[0].__cause__
        found = [translation for task in tasks for translation in task.result()]
        return found[0] if isinstance(text, str) else found

    async def correct(self, **proposal: Unpack[Proposal]) -> Correction:
        """Send a correction in. It is made once, however often it must be sent."""
        return await self._do(calls.correct(proposal))

    async def correction(self, id: str) -> Correction:
        """What became of the correction `id`."""
        return await self._do(calls.correction(id))

    async def models(self) -> list[Model]:
        """The model versions on the server's disk; for reviewers."""
        return await self._do(calls.MODELS)

    async def ready(self) -> Readiness:
        """Whether the server translates. Not being ready is an answer, and no error."""
        return await self._do(calls.READY)

    async def usage(self) -> Usage:
        """What this client has had translated."""
        return await self._do(calls.USAGE)

    async def _do(self, call: Call[T]) -> T:
        pauses_s: list[float] = []
        while True:
            try:
                return call.answer(await self._http.send(call.request(self._http)))
            except (httpx.RequestError, ApiError) as error:
                pauses_s.append(next_pause_s(error, pauses_s, self._settings))
            await self._sleep(pauses_s[-1])

    async def aclose(self) -> None:
        """Close its connections."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._http.base_url)!r})"
