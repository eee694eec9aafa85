"""The engine's threads with a translator that may be called from several at once, and with one that may not."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from fakes import FakeTranslator, running_engine
from patience import begun, eventually

from app.engine.engine import Engine
from app.engine.limits import EngineLimits
from app.engine.tickets import Sentence
from model.config import SearchConfig
from model.translation import Translation

LIMITS = EngineLimits(batch_tokens=4000, batch_sentences=32, queue_tokens=10_000, max_beam=8, at_once=2)
GREEDY = SearchConfig()
LONG = "lungo"
running = partial(running_engine, limits=LIMITS)


@dataclass
class Watched(FakeTranslator):
    """Counts how many calls run at once. Calls with a sentence of `LONG` wait until `free` is set."""

    is_shared: bool = True
    free: threading.Event = field(default_factory=threading.Event)
    now: int = 0
    most: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def translate_sentences(
        self, texts: Sequence[str], search: SearchConfig = GREEDY, prefixes: Sequence[str] = ()
    ) -> list[Translation]:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
        try:
            if any(LONG in text for text in texts) and not self.free.wait(20):
                raise TimeoutError("a test left long sentences waiting")
            return super().translate_sentences(texts, search, prefixes)
        finally:
            with self.lock:
                self.now -= 1


async def translate(engine: Engine, *texts: str, tokens: int = 4) -> list[str]:
    outcomes = await engine.translate([Sentence("it-en", text, tokens) for text in texts], GREEDY, 30)
    return [outcome.translation.text for outcome in outcomes]


def long_texts(count: int) -> list[str]:
    return [f"{LONG} {number}" for number in range(count)]


async def test_several_batches_run_at_once_and_no_more_than_there_are_cores() -> None:
    translator = Watched()
    async with running(translator) as engine:
        asked = asyncio.create_task(translate(engine, *long_texts(200)))
        await eventually(lambda: translator.now == 2, "both cores have a batch")
        await begun()
        assert not asked.done()
        translator.free.set()
        assert await asked == [text.upper() for text in long_texts(200)]
    assert translator.most == 2


async def test_a_short_request_is_answered_while_long_ones_hold_every_core() -> None:
    translator = Watched()
    async with running(translator) as engine:
        asked = asyncio.create_task(translate(engine, *long_texts(200)))
        await eventually(lambda: translator.now == 2, "both cores have a batch")
        for number in range(5):
            assert await translate(engine, f"breve {number}") == [f"BREVE {number}"]
        assert translator.now == 2 and not asked.done(), "the short ones waited for the long ones"
        translator.free.set()
        await asked


async def test_a_translator_that_may_not_be_shared_has_one_call_at_a_time() -> None:
    translator = Watched(is_shared=False)
    translator.free.set()
    async with running(translator) as engine:
        await asyncio.gather(*(translate(engine, *long_texts(60), f"breve {number}") for number in range(20)))
    assert translator.most == 1


async def test_nothing_is_shared_while_one_version_that_may_not_be_is_needed() -> None:
    old, new = Watched(version="old", is_shared=False), Watched(version="new")
    async with running(old) as engine:
        before = asyncio.create_task(translate(engine, *long_texts(100)))
        await eventually(lambda: old.now == 1, "the old version is at work")
        await asyncio.to_thread(engine.replace, new)
        new.free.set()
        after = asyncio.create_task(translate(engine, *long_texts(100)))
        await begun()
        assert (old.now, new.now) == (1, 0)
        old.free.set()
        await before
        await after
        assert old.most == 1
        new.free.clear()
        again = asyncio.create_task(translate(engine, *(f"{LONG} ancora {number}" for number in range(100))))
        await eventually(lambda: new.now == 2, "the new version has both cores when the old one is gone")
        new.free.set()
        await again


async def test_what_was_accepted_is_answered_by_all_threads_before_the_engine_ends() -> None:
    translator = Watched()
    async with running(translator) as engine:
        asked = [asyncio.create_task(translate(engine, *long_texts(100), f"{LONG} di {one}")) for one in range(4)]
        await eventually(lambda: translator.now == 2, "both cores have a batch")
        stopping = asyncio.create_task(engine.stop(20))
        await begun()
        translator.free.set()
        await stopping
        for one, answered in enumerate(asked):
            assert (await answered)[-1] == f"{LONG} DI {one}".upper()
        assert not engine.alive
