"""Versions that take over while requests wait: who is answered by which, and what is let go when."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from fakes import FakeTranslator, running_engine
from patience import begun, eventually

from app.engine.decoder import Outcome
from app.engine.engine import Engine
from app.engine.limits import EngineLimits
from app.engine.tickets import Sentence
from app.errors import DeadlineExceeded, NotReady, ShuttingDown
from app.metrics import Metrics
from model.config import SearchConfig
from model.translation import Translation
from model.translator import Translator

LIMITS = EngineLimits(batch_tokens=4000, batch_sentences=2, queue_tokens=1000, max_beam=8)
GREEDY = SearchConfig()
running = partial(running_engine, limits=LIMITS)


@dataclass
class Signing(FakeTranslator):
    """Signs each translation with its version."""

    def _one(self, text: str, search: SearchConfig, prefix: str = "") -> Translation:
        return Translation(f"{text} by {self.version}", -0.25, tokens=1)


async def translate(engine: Engine, *texts: str, pair: str = "it-en", timeout_s: float = 10) -> list[Outcome]:
    return await engine.translate([Sentence(pair, text, 1) for text in texts], GREEDY, timeout_s)


async def held(engine: Engine, translator: FakeTranslator, *texts: str) -> asyncio.Task[list[Outcome]]:
    """A request whose first batch stays in the translator until its gate opens."""
    translator.gate.clear()
    translator.entered.clear()
    task = asyncio.create_task(translate(engine, *texts))
    assert await asyncio.to_thread(translator.entered.wait, 5)
    return task


def made_by(outcomes: list[Outcome]) -> set[str]:
    """The versions named, each checked against what really translated."""
    assert all(outcome.translation.text.endswith(f" by {outcome.version}") for outcome in outcomes)
    return {outcome.version for outcome in outcomes}


async def replaced(engine: Engine, translator: FakeTranslator) -> None:
    await asyncio.to_thread(engine.replace, translator)


async def test_a_request_in_several_batches_is_answered_by_the_version_that_it_met() -> None:
    old, new = Signing(version="old"), Signing(version="new")
    async with running(old) as engine:
        before = await held(engine, old, *"abcde")  # batches of two: three of them
        waiting = asyncio.create_task(translate(engine, "f", "a", "g"))
        await begun()
        await replaced(engine, new)
        after = asyncio.create_task(translate(engine, *"abcfh"))
        await begun()
        old.gate.set()
        assert made_by(await before) == {"old"}, "a request must not be answered by two versions"
        assert made_by(await waiting) == {"old"}, "it came before the swap"
        assert made_by(await after) == {"new"}, "a sentence in flight for the old version is not shared with the new"
        assert engine.versions == {"it-en": "new"}
    assert new.batches[0] == ["Ciao.", "Sono già stato a Roma due volte."], "it must be warm before it takes over"


async def test_the_old_version_is_let_go_when_its_last_request_is_answered() -> None:
    old, new = Signing(version="old"), Signing(version="new")
    alive = weakref.ref(old)
    async with running(new) as engine:  # `running` keeps what it was given; so `old` comes as a second version
        await replaced(engine, old)
        gate = old.gate
        before = await held(engine, old, *"abc")
        await replaced(engine, new)
        del old
        gc.collect()
        assert alive() is not None, "requests still wait for it"
        gate.set()
        assert made_by(await before) == {"old"}
        assert made_by(await translate(engine, "d")) == {"new"}
        assert alive() is None, "a version that nobody needs must not keep its memory"


@pytest.fixture
def no_collector() -> Iterator[None]:
    """The server freezes its first models, so what is let go must not need the garbage collector."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


async def test_a_real_version_is_let_go_without_the_garbage_collector(tiny_data_dir: Path, no_collector: None) -> None:
    def load(version: str) -> Translator:
        return Translator.load(tiny_data_dir / "models" / "it-en" / version, "cpu", threads=2)

    first = load("default")
    alive = weakref.ref(first), weakref.ref(first._chosen.searcher)
    source = [first]
    del first
    engine = Engine(lambda: {"it-en": source.pop()}, LIMITS, Metrics())
    engine.start()
    await engine.wait_ready(20)
    await translate(engine, "Il gatto nero.", "Dove abiti?", "Piove.")
    await asyncio.to_thread(lambda: engine.replace(load("second")))
    assert {outcome.version for outcome in await translate(engine, "Il gatto nero.")} == {"second"}
    assert [one() for one in alive] == [None, None]
    await engine.stop(5)


async def test_an_idle_engine_lets_go_at_once() -> None:
    async with running(Signing(version="1")) as engine:
        second = Signing(version="2")
        alive = weakref.ref(second)
        await replaced(engine, second)
        del second
        await replaced(engine, Signing(version="3"))
        await eventually(lambda: alive() is None, "the engine's thread lets go of it")


async def test_back_and_forth_while_requests_wait() -> None:
    first, second = Signing(version="1"), Signing(version="2")
    async with running(first) as engine:
        tasks = [await held(engine, first, "a", "b", "c")]
        for translator in (second, Signing(version="1"), Signing(version="2")):
            await replaced(engine, translator)
            tasks.append(asyncio.create_task(translate(engine, "a", "b", "c")))
            await begun()
        first.gate.set()
        assert [made_by(await task) for task in tasks] == [{"1"}, {"2"}, {"1"}, {"2"}]


async def test_other_pairs_are_left_alone_and_new_ones_can_come() -> None:
    italian, english = Signing(version="1"), Signing("en-it", version="1")
    async with running(italian) as engine:
        await replaced(engine, english)
        assert engine.versions == {"it-en": "1", "en-it": "1"}
        await replaced(engine, Signing("en-it", version="2"))
        assert made_by(await translate(engine, "a", pair="en-it")) == {"2"}
        assert made_by(await translate(engine, "a")) == {"1"}
        assert engine.count_tokens("en-it", ["one two"]) == [2]


async def test_a_version_that_cannot_be_used_does_not_take_over() -> None:
    async with running(Signing(version="1")) as engine:
        with pytest.raises(NotReady, match="TRAGHETTO_BATCH_TOKENS"):
            await replaced(engine, Signing(version="2", max_source_tokens=501))
        with pytest.raises(ValueError, match="cannot translate"):
            await replaced(engine, Signing(version="2", fails=True))
        assert made_by(await translate(engine, "a")) == {"1"}


async def test_an_engine_that_loads_or_ends_takes_no_other_version() -> None:
    first = Signing()
    first.gate.clear()
    engine = Engine(lambda: {"it-en": first}, LIMITS, Metrics())
    engine.start()
    with pytest.raises(NotReady):
        await replaced(engine, Signing(version="2"))
    first.gate.set()
    await engine.wait_ready(5)
    await engine.stop(5)
    with pytest.raises(ShuttingDown):
        await replaced(engine, Signing(version="2"))


async def test_cancelled_and_late_requests_do_not_hold_the_old_version() -> None:
    keep, old = Signing(version="keep"), Signing(version="old")
    async with running(keep) as engine:
        await replaced(engine, old)
        alive, gate = weakref.ref(old), old.gate
        first = await held(engine, old, "a")
        late = asyncio.create_task(translate(engine, "b", timeout_s=0.05))
        gone = asyncio.create_task(translate(engine, "c"))
        with pytest.raises(DeadlineExceeded):
            await late
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        await replaced(engine, keep)
        del old
        gate.set()
        await first
        await translate(engine, "d")
        assert alive() is None


async def test_token_counts_never_meet_a_half_swap() -> None:
    """One thread counts without a pause while versions come and go."""
    async with running(Signing(version="0")) as engine:
        stop = asyncio.Event()

        def count() -> int:
            counted = 0
            while not stop.is_set():
                assert engine.count_tokens("it-en", ["uno due tre"]) == [3]
                counted += 1
            return counted

        counting = asyncio.create_task(asyncio.to_thread(count))
        for number in range(1, 60):
            await replaced(engine, Signing(version=str(number)))
            assert made_by(await translate(engine, "a")) == {str(number)}
        stop.set()
        assert await counting > 0
