"""The engine with a fake translator: answers, errors, overload, cancellation, draining."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest
from fakes import FakeTranslator, running_engine
from patience import begun
from prometheus_client import CollectorRegistry

from app.engine.engine import Engine
from app.engine.limits import EngineLimits
from app.engine.tickets import Sentence
from app.errors import (
    DeadlineExceeded,
    NotReady,
    Overloaded,
    PairUnavailable,
    ServiceError,
    ShuttingDown,
    TranslationFailed,
)
from app.metrics import Metrics
from model.config import SearchConfig

LIMITS = EngineLimits(batch_tokens=4000, batch_sentences=64, queue_tokens=1000, max_beam=8)
GREEDY = SearchConfig()
FIRST = SearchConfig(retry=False)
running = partial(running_engine, limits=LIMITS)


def sentences(*texts: str, pair: str = "it-en") -> list[Sentence]:
    return [Sentence(pair, text, len(text.split())) for text in texts]


def sample(registry: CollectorRegistry, name: str) -> float:
    return registry.get_sample_value(name) or 0.0


async def translate(engine: Engine, *texts: str, timeout_s: float = 10, search: SearchConfig = GREEDY) -> list[str]:
    outcomes = await engine.translate(sentences(*texts), search, timeout_s)
    return [outcome.translation.text for outcome in outcomes]


async def held(engine: Engine, translator: FakeTranslator) -> asyncio.Task[list[str]]:
    """A request that keeps the engine's thread busy until `translator.gate` opens."""
    translator.gate.clear()
    translator.entered.clear()
    task = asyncio.create_task(translate(engine, "busy"))
    assert await asyncio.to_thread(translator.entered.wait, 5)
    return task


async def test_results_come_in_order_with_the_version() -> None:
    async with running(FakeTranslator(version="v7")) as engine:
        outcomes = await engine.translate(sentences("uno", "due", "uno"), GREEDY, 5)
        assert [(o.translation.text, o.version) for o in outcomes] == [("UNO", "v7"), ("DUE", "v7"), ("UNO", "v7")]
        assert await engine.translate([], GREEDY, 5) == []


async def test_the_queue_fills_while_the_worker_is_busy() -> None:
    translator = FakeTranslator()
    async with running(translator) as engine:
        first = await held(engine, translator)
        others = [asyncio.create_task(translate(engine, f"frase {number}")) for number in range(20)]
        await begun()
        translator.gate.set()
        assert await first == ["BUSY"]
        assert await asyncio.gather(*others) == [[f"FRASE {number}"] for number in range(20)]
    assert [len(batch) for batch in translator.batches[1:]] == [1, 20], "all that waited makes one batch"


async def test_clients_that_come_back_at_once_share_the_next_batch() -> None:
    translator = FakeTranslator(seconds_per_batch=0.05)
    async with running(translator) as engine:

        async def client(number: int) -> None:
            for turn in range(8):
                assert await translate(engine, f"{number} {turn}") == [f"{number} {turn}"]

        await asyncio.gather(*(client(number) for number in range(8)))
    sizes = [len(batch) for batch in translator.batches[1:]]
    assert sum(sizes) == 64
    assert len(sizes) <= 12, f"8 clients should travel together, not in two groups: {sizes}"


async def test_a_client_alone_is_never_kept_waiting_for_others() -> None:
    translator = FakeTranslator(seconds_per_batch=0.02)
    async with running(translator) as engine:
        await translate(engine, "prima")
        started = asyncio.get_running_loop().time()
        for turn in range(10):
            await translate(engine, f"turno {turn}")
        assert asyncio.get_running_loop().time() - started < 0.5, "10 batches of 20 ms"


async def test_identical_sentences_in_flight_are_decoded_once() -> None:
    translator = FakeTranslator()
    async with running(translator) as engine:
        first = await held(engine, translator)
        same = [asyncio.create_task(translate(engine, "busy", "ciao")) for _ in range(5)]
        await begun()
        translator.gate.set()
        await first
        assert await asyncio.gather(*same) == [["BUSY", "CIAO"]] * 5
    assert translator.batches[1:] == [["busy"], ["ciao"]]


async def test_one_bad_sentence_does_not_fail_its_neighbours() -> None:
    translator = FakeTranslator()
    async with running(translator) as engine:
        first = await held(engine, translator)
        good = [asyncio.create_task(translate(engine, f"buona {number}")) for number in range(10)]
        bad = asyncio.create_task(translate(engine, "ottima", "boom"))
        await begun()
        translator.gate.set()
        await first
        assert await asyncio.gather(*good) == [[f"BUONA {number}"] for number in range(10)]
        with pytest.raises(TranslationFailed, match="failed on a sentence"):
            await bad
        assert await translate(engine, "ancora") == ["ANCORA"], "the thread must live on"
        assert sample(engine._metrics.registry, "traghetto_failed_sentences_total") == 1


@pytest.mark.parametrize("fault", ["fails", "loses_one"])
async def test_a_model_that_always_fails_answers_every_caller(fault: str) -> None:
    translator = FakeTranslator()
    async with running(translator) as engine:
        setattr(translator, fault, True)
        results = await asyncio.gather(*(translate(engine, f"a{n}", f"b{n}") for n in range(5)), return_exceptions=True)
        assert [type(result) for result in results] == [TranslationFailed] * 5
        setattr(translator, fault, False)
        assert await translate(engine, "dopo") == ["DOPO"]


async def test_failures_do_not_put_texts_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with running(FakeTranslator()) as engine:
        with pytest.raises(TranslationFailed) as error:
            await translate(engine, "segreto boom")
    assert "ValueError" in caplog.text
    assert "segreto" not in caplog.text
    assert "segreto" not in str(error.value)


async def test_past_the_deadline_the_caller_is_answered_and_the_sentence_leaves_the_queue() -> None:
    translator = FakeTranslator()
    async with running(translator) as engine:
        first = await held(engine, translator)
        with pytest.raises(DeadlineExceeded):
            await translate(engine, "tardi", timeout_s=0.05)
        translator.gate.set()
        await first
        assert await translate(engine, "dopo") == ["DOPO"]
    assert not any("tardi" in batch for batch in translator.batches)


async def test_a_cancelled_caller_is_not_translated_for() -> None:
    translator = FakeTranslator()
    async with running(translator) as engine:
        first = await held(engine, translator)
        gone = asyncio.create_task(translate(engine, "sparito"))
        await begun()
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        translator.gate.set()
        await first
        await translate(engine, "dopo")
    assert not any("sparito" in batch for batch in translator.batches)


async def test_a_full_queue_says_when_to_come_back() -> None:
    translator = FakeTranslator(seconds_per_batch=0.1)
    async with running(translator, limits=EngineLimits(4000, 64, 10, 8)) as engine:
        await translate(engine, "misura la velocità")  # about 30 tokens/s
        first = await held(engine, translator)
        waiting = asyncio.create_task(translate(engine, "uno due tre quattro cinque sei sette otto nove dieci"))
        await begun()
        with pytest.raises(Overloaded) as error:
            await translate(engine, "troppo")
        assert 1 <= (error.value.retry_after_s or 0) <= 60
        translator.gate.set()
        await first
        await waiting
        assert await translate(engine, "troppo") == ["TROPPO"]


async def test_searches_are_passed_on_and_never_mixed() -> None:
    translator = FakeTranslator()
    async with running(translator) as engine:
        wide = SearchConfig(beam=4, n_best=2)
        first = await held(engine, translator)
        tasks = [asyncio.create_task(translate(engine, "a")), asyncio.create_task(translate(engine, "b", search=wide))]
        await begun()
        translator.gate.set()
        await asyncio.gather(first, *tasks)
    assert list(zip(translator.batches, translator.searches, strict=True))[-2:] == [
        (["a"], FIRST),
        (["b"], replace(wide, retry=False)),
    ]


async def test_a_faulty_translation_is_searched_for_again_in_a_batch_of_its_own() -> None:
    translator = FakeTranslator()
    async with running(translator) as engine:
        assert await translate(engine, "prima", "babble uno", "dopo") == ["PRIMA", "MENDED", "DOPO"]
        assert sample(engine._metrics.registry, "traghetto_failed_sentences_total") == 0
    assert list(zip(translator.batches, translator.searches, strict=True))[-2:] == [
        (["prima", "babble uno", "dopo"], FIRST), (["babble uno"], GREEDY),
    ]  # fmt: skip


async def test_a_request_full_of_nonsense_takes_turns_with_everybody_else() -> None:
    """Thirty sentences of gibberish once took 7.6 times as long, and all others waited."""
    translator = FakeTranslator(seconds_per_batch=0.005, max_source_tokens=30)
    async with running(translator, limits=EngineLimits(240, 64, 10_000, 8)) as engine:
        hostile = asyncio.create_task(translate(engine, *(f"babble {number}" for number in range(200)), timeout_s=60))
        turns = 0
        while not hostile.done():
            before = len(translator.batches)
            await translate(engine, f"breve {turns}")
            turns += 1
            assert len(translator.batches) - before <= 4, "one batch of the other, or two, then one's own"
        assert await hostile == ["MENDED"] * 200
        assert turns >= 8, "the others were held up until the nonsense was done"


async def test_when_half_of_its_time_is_over_a_request_is_answered_with_drafts() -> None:
    translator = FakeTranslator(seconds_per_batch=0.02, max_source_tokens=30)
    async with running(translator, limits=EngineLimits(240, 64, 10_000, 8)) as engine:
        found = await translate(engine, *(f"babble {number}" for number in range(3000)), timeout_s=4)
        assert set(found) == {"MENDED", "DRAFT"}, "nobody who has a translation is answered 503"
        assert await translate(engine, "babble 2999", timeout_s=30) == ["MENDED"]


async def test_a_second_search_that_fails_leaves_the_first_translation() -> None:
    class Fragile(FakeTranslator):
        def translate_sentences(self, texts, search=GREEDY, prefixes=()):
            if search.retry and "babble" in texts:
                raise RuntimeError("out of memory")
            return super().translate_sentences(texts, search, prefixes)

    async with running(Fragile()) as engine:
        assert await translate(engine, "babble") == ["DRAFT"]


async def test_stop_finishes_what_was_accepted() -> None:
    translator = FakeTranslator(seconds_per_batch=0.05)
    engine = Engine(lambda: {"it-en": translator}, LIMITS, Metrics())
    engine.start()
    await engine.wait_ready(5)
    accepted = [asyncio.create_task(translate(engine, f"a{number}")) for number in range(30)]
    await begun()
    stopping = asyncio.create_task(engine.stop(5))
    await begun()
    with pytest.raises(ShuttingDown):
        await translate(engine, "troppo tardi")
    await stopping
    assert await asyncio.gather(*accepted) == [[f"A{number}"] for number in range(30)]
    assert not engine.alive


async def test_stop_answers_the_rest_when_the_time_is_over() -> None:
    translator = FakeTranslator()
    engine = Engine(lambda: {"it-en": translator}, LIMITS, Metrics())
    engine.start()
    await engine.wait_ready(5)
    stuck = await held(engine, translator)
    waiting = asyncio.create_task(translate(engine, "aspetta"))
    await begun()
    await engine.stop(0.05)
    for task in (stuck, waiting):
        with pytest.raises(ShuttingDown):
            await task
    translator.gate.set()


async def test_models_are_warm_before_it_is_ready() -> None:
    translator = FakeTranslator()
    translator.gate.clear()
    engine = Engine(lambda: {"it-en": translator}, LIMITS, Metrics())
    engine.start()
    assert engine.state == "loading"
    with pytest.raises(NotReady, match="still loading"):
        await engine.wait_ready(0.05)
    with pytest.raises(NotReady):
        await translate(engine, "presto")
    translator.gate.set()
    await engine.wait_ready(5)
    assert len(translator.batches) == 1, "ready only after a real decode"
    assert engine.versions == {"it-en": "fake-1"}
    await engine.stop(5)


@pytest.mark.parametrize(
    ("translator", "message"),
    [
        (FakeTranslator(fails=True), "could not be loaded"),
        (FakeTranslator(max_source_tokens=501), "TRAGHETTO_BATCH_TOKENS"),
    ],
)
async def test_models_that_cannot_be_used_are_reported(translator: FakeTranslator, message: str) -> None:
    told = asyncio.Event()
    engine = Engine(lambda: {"it-en": translator}, LIMITS, Metrics())
    engine.start(on_failure=told.set)
    with pytest.raises(ServiceError, match=message):
        await engine.wait_ready(5)
    await asyncio.wait_for(told.wait(), 5)
    assert engine.state == "failed"
    await engine.stop(1)


async def test_unknown_pairs_are_named() -> None:
    async with running(FakeTranslator()) as engine:
        assert engine.count_tokens("it-en", ["uno due"]) == [2]
        with pytest.raises(PairUnavailable, match="no model for en-it; it has: it-en"):
            engine.count_tokens("en-it", ["one"])
