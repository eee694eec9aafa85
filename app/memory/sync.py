"""Keeps a process's memory like the database: within a second of an approval, whichever process it came to.

    approval: rows + `touch`, one transaction      every process
      memory_state.version 7 -> 8                    version grew -> memory_changes since 7 -> those sentences anew
      memory_changes (8, it-en, key)                 too old, they were purged -> everything anew

On PostgreSQL a notification says when to look; besides, and on SQLite only, the version is read again and again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import uuid
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any

import psycopg
from sqlalchemy import Row, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from app.memory.changes import CHANNEL, STATE_ID
from app.memory.store import Entries, Memory, Stored, pack
from app.storage.db import READER, Database, is_outage, is_sqlite
from app.storage.notices import listening
from app.storage.tables import APPROVED, Correction, MemoryChange, MemoryState

log = logging.getLogger("traghetto.memory")

SQLITE_POLL_S = 0.25
POSTGRES_POLL_S = 1.0
"""Should a notification be lost."""
RETRY_S = (0.25, 0.5, 1.0)
"""Between tries to reach a database that is down; the last again and again."""
REFRESH_WAIT_S = 2.0
"""Longest that an approval waits for memory: the first load of a million corrections takes 18 s."""
QUERY_TIMEOUT_S = 5.0
ROWS_AT_ONCE = 500
"""Of a page. On a busy machine the event loop paused for 10 ms at most in 99 of 100 cases; 23 ms with 2,000 rows."""
KEYS_AT_ONCE = 500
MAX_CHANGES = 20_000
"""More sentences than these are read again by reading all, page by page."""
Changes = dict[str, list[str]]
"""By pair, source keys to read again."""
CORRECTIONS = Correction.metadata.tables[Correction.__tablename__]
"""The table itself: a million rows need no mapper."""


class MemorySync:
    """Fills a `Memory` and keeps it up to date. All of it belongs to one event loop."""

    def __init__(self, database: Database, memory: Memory) -> None:
        """`database` should have connections of its own, so that memory waits for no request."""
        self._database = database
        self._memory = memory
        self._lock = asyncio.Lock()
        self._seen: int | None = None
        """The version that `memory` is at; None before it was loaded."""
        self._asked = self._served = 0
        self._looks: set[asyncio.Task[None]] = set()
        self._down = False
        self.ready = asyncio.Event()
        """Set when memory was first loaded, or that failed: who waits for it must go on then."""

    async def load(self) -> None:
        """Read all approved corrections, whatever memory has so far.

        Raises:
            SQLAlchemyError, OSError, TimeoutError: the database does not answer; memory is as it was.
        """
        async with self._lock:
            await self._load()
        self.ready.set()

    async def refresh(self) -> None:
        """Bring memory up to what is committed now. Waits `REFRESH_WAIT_S` at most; the look goes on, also if
        who waits goes away. If the database does not answer, `run` will do it later."""
        look = asyncio.create_task(self._look())
        self._looks.add(look)
        look.add_done_callback(self._looks.discard)
        await asyncio.wait((look,), timeout=REFRESH_WAIT_S)

    async def _look(self) -> None:
        try:
            await self._refresh()
        except Exception as error:  # noqa: BLE001 - what was stored is stored, whatever memory makes of it
            self._tell(error)

    async def run(self) -> None:
        """Load, then keep memory up to date until cancelled, through whatever happens to the database. What else
        fails is raised, for `app.background`."""
        failures = 0
        while True:
            try:
                async with self._signal() as wait:
                    while True:
                        await self._refresh()
                        self.ready.set()
                        self._tell(None)
                        failures = 0
                        await wait()
            except Exception as error:
                self.ready.set()
                if not _is_down(error):
                    raise
                self._tell(error)
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
            failures += 1

    @contextlib.asynccontextmanager
    async def _signal(self) -> AsyncIterator[Callable[[], Any]]:
        """A function that waits until it is time to look for changes."""
        if is_sqlite(self._database.url):
            yield lambda: asyncio.sleep(SQLITE_POLL_S)
            return
        async with listening(self._database.url, CHANNEL) as connection:

            async def wait() -> None:
                async for _ in connection.notifies(timeout=POSTGRES_POLL_S, stop_after=1):
                    pass

            yield wait

    def _tell(self, error: Exception | None) -> None:
        """Log that the database went away or is back, once."""
        if (error is not None) == self._down:
            return
        self._down = error is not None
        if error is None:
            log.info("memory is kept up to date again")
        else:  # what is no fault of the database is one of ours, and shown in full
            fault = None if _is_down(error) else error
            log.warning("memory cannot be kept up to date: %s", type(error).__name__, exc_info=fault)

    async def _refresh(self) -> None:
        """Look for changes; callers that come while somebody looks share the next look."""
        self._asked += 1
        mine = self._asked
        async with self._lock:
            if self._served >= mine:
                return
            serving = self._asked
            await self._update()
            self._served = serving

    async def _update(self) -> None:
        async with self._reading() as session:
            version = await _version(session)
            if version == self._seen:
                return
            changes = None if self._seen is None else await _changes(session, self._seen, version)
        if changes is None:
            await self._load()
            return
        await self._reread(changes)
        self._seen = version

    async def _reread(self, keys_of: Changes) -> None:
        for pair, keys in keys_of.items():
            for start in range(0, len(keys), KEYS_AT_ONCE):
                wanted = keys[start : start + KEYS_AT_ONCE]
                async with self._reading() as session:
                    found = _approved(await session.execute(_of_keys(pair, wanted)))
                self._memory.put(found)
                self._memory.remove((pair, key) for key in set(wanted).difference(one.source_key for one in found))

    async def _load(self) -> None:
        """Page by page, so that no transaction is long and requests go on. What changes meanwhile has a version above
        the one that is read first, and so is read again."""
        async with self._reading() as session:
            version = await _version(session)
        entries: Entries = {}
        doubles: Changes = {}
        last = uuid.UUID(int=0)
        while True:
            async with self._reading() as session:
                rows = (await session.execute(_page(last))).all()
            if not rows:
                break
            last = rows[-1].id
            await asyncio.to_thread(_pack_all, rows, entries, doubles)
        self._memory.replace(entries)
        await self._reread(doubles)
        self._seen = version
        log.info("memory: %d approved corrections", len(self._memory))

    @contextlib.asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncSession]:
        """As `Database.reading`, but what fails is told by `_tell`."""
        async with asyncio.timeout(QUERY_TIMEOUT_S), self._database.session() as session:
            await session.connection(execution_options=READER)
            yield session

    async def close(self) -> None:
        """Close the connections, once `run` has ended."""
        for look in self._looks:
            look.cancel()
        await asyncio.gather(*self._looks, return_exceptions=True)
        await self._database.close()


def _is_down(error: Exception) -> bool:
    """Whether it is the database, also as the connection finds it that hears notifications."""
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) or is_outage(error)


def _columns() -> Select[*tuple[Any, ...]]:
    """Those of `Stored`, and the status. It is looked at here: with it in the condition both databases, as long as they
    have no statistics of the table, take the index of the status, and sort all corrections for every page."""
    names = ("pair", "source_key", "id", "source_text", "corrected_translation", "status")
    return select(*[CORRECTIONS.c[name] for name in names])


def _page(last: uuid.UUID) -> Select[*tuple[Any, ...]]:
    return _columns().where(CORRECTIONS.c.id > last).order_by(CORRECTIONS.c.id).limit(ROWS_AT_ONCE)


def _of_keys(pair: str, keys: Sequence[str]) -> Select[*tuple[Any, ...]]:
    """Of one sentence the newest comes last."""
    mine = _columns().where(CORRECTIONS.c.pair == pair, CORRECTIONS.c.source_key.in_(keys))
    return mine.order_by(CORRECTIONS.c.changed_at, CORRECTIONS.c.id)


def _approved(rows: Iterable[Row[*tuple[Any, ...]]]) -> list[Stored]:
    return [Stored(*row[:-1]) for row in rows if row[-1] == APPROVED]


def _pack_all(rows: Iterable[Row[*tuple[Any, ...]]], entries: Entries, doubles: Changes) -> None:
    """Fill `entries`; which of two corrections of one sentence is newer is left to a second look at `doubles`."""
    for stored in _approved(rows):
        if not pack(stored, entries):
            doubles.setdefault(stored.pair, []).append(stored.source_key)


async def _version(session: AsyncSession) -> int:
    version = await session.scalar(select(MemoryState.version).where(MemoryState.id == STATE_ID))
    return version or 0


async def _changes(session: AsyncSession, seen: int, version: int) -> Changes | None:
    """What changed after version `seen`; None if that is not known any more or too much."""
    if version < seen:  # another database, or an older copy of it
        return None
    later = MemoryChange.version > seen
    first = await session.scalar(select(func.min(MemoryChange.version)).where(later))
    if first != seen + 1:
        return None
    keys = select(MemoryChange.pair, MemoryChange.source_key).where(later).distinct().limit(MAX_CHANGES + 1)
    changes: Changes = {}
    rows = (await session.execute(keys)).all()
    for pair, key in rows:
        changes.setdefault(pair, []).append(key)
    return changes if len(rows) <= MAX_CHANGES else None
