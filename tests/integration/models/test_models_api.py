"""What a server tells of its model versions, whatever their cards hold, and translating with any of them."""

from __future__ import annotations

import asyncio
import json
import shutil
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from corrections_kit import ADMIN_KEY, People, app_on, people_of
from databases import migrated
from fakes import FakeTranslator, fake_detect, problem

from app.access.keys import Keys
from app.errors import Busy, DeadlineExceeded, NotFound, ShuttingDown
from app.memory.store import Memory
from app.metrics import Metrics
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import KEPT, REFUSED, ModelVersion, RetrainingRun
from app.versions.catalogue import Catalogue
from app.versions.promotion import promote
from app.versions.tryout import KEPT as KEPT_LOADED
from app.versions.tryout import MOST_WAITING, Tryout
from model.versions import store

PAIR = "it-en"
SURROGATE = "\ud800"


def make_version(data_dir: Path, name: str, **card: Any) -> Path:
    """A copy of the tiny model with another card."""
    like = store.load(data_dir / "models" / PAIR / "default")
    return store.save(data_dir / "models", PAIR, name, like.model, (like.source, like.target), card)


@pytest.fixture
def settings(tiny_data_dir: Path, tmp_path: Path) -> Settings:
    """A data directory with versions `default`, `second`, and `third`, which was made from `second`."""
    shutil.copytree(tiny_data_dir / "models", tmp_path / "models")
    curve = [{"tokens": 100, "dev bleu": 3.0}, {"tokens": 200, "dev bleu": 5.5, "nll": 2.25}]
    ids = [f"00000000-0000-0000-0000-00000000000{number}" for number in range(3)]
    make_version(tmp_path, "between", parent=f"{PAIR}/second")
    make_version(
        tmp_path, "third", parent=f"{PAIR}/between", training={"curve": curve, "seconds": 2.5},
        data={"corrections": {"ids": ids}},
        scores={
            "challenge": {"passed": 1, "items": 12, "phenomena": {"idioms": {"passed": 1, "items": 12}}},
            "words": {"passed": 3, "items": 4, "phenomena": {"in capitals": {"passed": 3, "items": 4}}},
        },
    )  # fmt: skip
    chosen = Settings(data_dir=tmp_path, device="cpu", torch_threads=1, admin_key=ADMIN_KEY)  # type: ignore[arg-type]
    migrated(chosen.database)
    return chosen


@pytest.fixture
async def people(settings: Settings) -> AsyncIterator[People]:
    """The clients of a server on that data directory, whose translator is a stand-in."""
    more = {"device": "cpu", "torch_threads": 1, "max_chars": 300}
    async with people_of(app_on(settings.database, settings.data_dir, **more)) as found:
        yield found


async def one(client: httpx.AsyncClient, version: str) -> dict[str, Any]:
    response = await client.get(f"/v1/models/{PAIR}/{version}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


async def test_the_list_says_what_became_of_each_version(people: People, settings: Settings) -> None:
    await asyncio.to_thread(promote, settings, PAIR, "second")
    async with people.app.state.services.database.writing() as session:
        await session.merge(ModelVersion(pair=PAIR, version="between", status=REFUSED))
    answer = (await people.admin.get("/v1/models")).json()["models"]
    found = {model["version"]: model for model in answer if model["pair"] == PAIR}
    assert {name: found[name]["status"] for name in ("default", "second", "between", "third")} == {
        "default": "retired", "second": "current", "between": "refused", "third": "candidate",
    }  # fmt: skip
    assert [name for name, model in found.items() if model["current"]] == ["second"]
    third = found["third"]
    assert (third["parent"], third["corrections"], third["problem"]) == ("between", 3, None)
    assert third["created"].startswith("20")
    assert found["second"]["scores"] == [
        {"set": "test", "sentences": None, "bleu": 25.0, "bleu_interval": None, "chrf": 50.0, "chrf_interval": None}
    ]


async def test_the_list_says_where_a_rollback_would_lead(people: People, settings: Settings) -> None:
    async def told() -> str | None:
        found: str | None = (await people.admin.get("/v1/models")).json()["rollback"][PAIR]
        return found

    assert await told() is None
    for version, before in (("second", "default"), ("third", "second")):
        await asyncio.to_thread(promote, settings, PAIR, version)
        assert await told() == before
    moved = await people.admin.post(f"/v1/models/{PAIR}/rollback")
    assert (moved.json()["version"], await told()) == ("second", "default")
    await asyncio.to_thread(promote, settings, PAIR, "third")
    shutil.rmtree(settings.data_dir / "models" / PAIR / "second")
    assert await told() is None, "it is gone"
    problem(await people.admin.post(f"/v1/models/{PAIR}/rollback"), 409, "conflict")
    (settings.data_dir / "models" / PAIR / "current.json").write_text("no pointer")
    assert await told() is None


async def test_one_version_is_told_in_full(people: People) -> None:
    run = RetrainingRun(pair=PAIR, state=KEPT, parent="between", candidate="third", corrections=3)
    async with people.app.state.services.database.writing() as session:
        session.add(run)
    found = await one(people.admin, "third")
    assert found["lineage"] == ["between", "second"]
    assert found["run_id"] == str(run.id)
    assert found["weak_at"] == ["idioms"]
    assert found["challenge"]["kinds"] == [{"name": "idioms", "passed": 1, "items": 12}]
    assert found["words"] == {"passed": 3, "items": 4, "kinds": [{"name": "in capitals", "passed": 3, "items": 4}]}
    assert [(point["tokens"], point["values"]) for point in found["curve"]] == [
        (100, {"dev bleu": 3.0}), (200, {"dev bleu": 5.5, "nll": 2.25}),
    ]  # fmt: skip
    assert found["training"]["seconds"] == 2.5 and found["training"]["tokens"] is None
    assert (await one(people.admin, "default"))["run_id"] is None


async def test_reviewers_read_and_administrators_too_and_nobody_else(people: People) -> None:
    keys = Keys(people.app.state.services.database)
    admin_only = people.holding((await keys.create("admin only", ["admin"])).secret)
    for path in ("/v1/models", f"/v1/models/{PAIR}/second"):
        for client in (await people.reviewer(), admin_only):
            assert (await client.get(path)).status_code == 200
        problem(await (await people.author()).get(path), 403, "forbidden")
        problem(await people.stranger.get(path), 401, "not-authorised")
    try_out = f"/v1/models/{PAIR}/second/translate"
    problem(await (await people.author()).post(try_out, json={"text": "Ciao."}), 403, "forbidden")
    problem(await (await people.reviewer()).post(f"/v1/models/{PAIR}/second/promote"), 403, "forbidden")


@pytest.mark.parametrize(
    "path", ["it-en/missing", "it-en/current.json", "xx/default", "it-en/..%2f..", "it-en/%00", "fr-de/default"]
)
async def test_what_is_no_version_is_not_found(people: People, path: str) -> None:
    assert (await people.admin.get(f"/v1/models/{path}")).status_code == 404
    assert (await people.admin.post(f"/v1/models/{path}/translate", json={"text": "Ciao."})).status_code == 404


def write_card(settings: Settings, version: str, **parts: Any) -> None:
    """Change what the card of a version says, as any editor can."""
    path = settings.data_dir / "models" / PAIR / version / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **parts}))


@pytest.mark.parametrize(
    "parts",
    [
        {"scores": {"dev": {"bleu": float("nan"), "chrf": 10**400}, SURROGATE: {"bleu": 1.0}, "challenge": 3}},
        {"training": {"curve": [{"tokens": float("inf")}, 4, {}], "device": SURROGATE, "seconds": True}},
        {"parent": f"{PAIR}/{SURROGATE}"},
        {"parent": f"{PAIR}/second"},
        {"parent": 5},
        {"data": {"corrections": {"ids": [SURROGATE, 5, None]}, "x": {"kept": -1}}},
    ],
    ids=str,
)  # fmt: skip
async def test_a_card_may_say_whatever_it_likes(people: People, settings: Settings, parts: dict[str, Any]) -> None:
    write_card(settings, "second", **parts)
    assert (await people.admin.get("/v1/models")).status_code == 200
    found = await one(people.admin, "second")
    assert len(found["lineage"]) <= 1 and found["corrections"] == 0


async def test_a_damaged_version_is_told_with_what_is_wrong(people: People, settings: Settings) -> None:
    folder = settings.data_dir / "models" / PAIR / "second"
    (folder / "card.json").write_text("{")
    found = await one(people.admin, "second")
    assert found["problem"] and found["scores"] == [] and found["training"] is None
    told = problem(
        await people.admin.post(f"/v1/models/{PAIR}/second/translate", json={"text": "Uno."}), 409, "conflict"
    )
    assert str(settings.data_dir) not in told["detail"], "places on this machine are nobody's business"


async def test_any_version_translates_and_the_current_one_stays(people: People) -> None:
    first, second = [
        await people.admin.post(
            f"/v1/models/{PAIR}/{version}/translate", json={"text": "Il gatto dorme. Quanto costa?"}
        )
        for version in ("default", "third")
    ]
    assert first.status_code == 200, first.text
    answer = first.json()
    assert (answer["source"], answer["target"], answer["model_version"]) == ("it", "en", "default")
    assert answer["text"] == second.json()["text"], "they have the same weights"
    assert second.json()["model_version"] == "third"
    sentences = answer["details"]["sentences"]
    assert [sentence["source_text"] for sentence in sentences] == ["Il gatto dorme.", "Quanto costa?"]
    assert all(sentence["words"] and not sentence["from_memory"] for sentence in sentences)
    assert answer["score"] < 0
    translated = await people.stranger.post("/v1/translate", json={"text": "ciao", "source": "it", "target": "en"})
    assert translated.json()["translations"][0]["text"] == "CIAO", "the engine keeps its own"


@pytest.mark.parametrize(
    ("body", "field"),
    [({"text": "x" * 301}, "text"), ({"text": "a\x00b"}, "text"), ({"text": 5}, "text"), ({}, "text"),
     ({"text": "a", "beam": 4}, "beam")],
)  # fmt: skip
async def test_limits_are_those_of_translate(people: People, body: dict[str, Any], field: str) -> None:
    told = problem(await people.admin.post(f"/v1/models/{PAIR}/second/translate", json=body), 422, "invalid-request")
    assert [error["field"] for error in told["errors"]] == [field]


async def test_an_empty_text_stays_empty(people: People) -> None:
    answer = (await people.admin.post(f"/v1/models/{PAIR}/second/translate", json={"text": " "})).json()
    assert (answer["text"], answer["score"], answer["model_version"]) == (" ", None, "second")


class Shelf:
    """Loads stand-ins, and keeps count."""

    def __init__(self) -> None:
        self.loads: list[str] = []
        self.threads: set[int] = set()
        self.gate = threading.Event()
        """Closed (clear) holds the thread in a translation."""
        self.gate.set()

    def __call__(self, _settings: Settings, pair: str, version: str) -> Any:
        self.loads.append(version)
        self.threads.add(threading.get_ident())
        translator = FakeTranslator(pair, version)
        translator.gate = self.gate
        return translator


def tryout(tmp_path: Path, shelf: Shelf, **more: Any) -> Tryout:
    return Tryout(Settings(data_dir=tmp_path, **more), fake_detect, Memory(Metrics()), shelf)


async def test_the_last_two_versions_stay_loaded(tmp_path: Path) -> None:
    shelf = Shelf()
    tried = tryout(tmp_path, shelf)
    for version in ("a", "b", "a", "b", "c", "b", "a"):
        assert (await tried.translate(PAIR, version, "Uno. Due.")).text == "UNO. DUE."
    assert KEPT_LOADED == 2
    assert shelf.loads == ["a", "b", "c", "a"]
    assert len(shelf.threads) == 1, "one thread owns them all"
    tried.stop()
    with pytest.raises(ShuttingDown):
        await tried.translate(PAIR, "a", "Uno.")


async def test_a_version_that_was_written_anew_is_loaded_anew(settings: Settings) -> None:
    shelf = Shelf()
    tried = tryout(settings.data_dir, shelf)
    for _ in range(2):
        await tried.translate(PAIR, "second", "Uno.")
    shutil.rmtree(settings.data_dir / "models" / PAIR / "second")
    make_version(settings.data_dir, "second")
    await tried.translate(PAIR, "second", "Uno.")
    tried.stop()
    assert shelf.loads == ["second", "second"]


async def test_who_waits_too_long_or_in_too_long_a_row_is_told(tmp_path: Path) -> None:
    shelf = Shelf()
    shelf.gate.clear()
    tried = tryout(tmp_path, shelf, deadline_s=0.5)
    try:
        waiting = [asyncio.create_task(tried.translate(PAIR, "a", "Uno.")) for _ in range(MOST_WAITING)]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await tried.translate(PAIR, "a", "Uno.")
        ends = await asyncio.gather(*waiting, return_exceptions=True)
    finally:
        shelf.gate.set()
    assert {type(end) for end in ends} == {DeadlineExceeded}
    assert (await tried.translate(PAIR, "a", "Uno.")).text == "UNO.", "it must come free again"
    tried.stop()


async def test_other_languages_than_ours_are_not_tried(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        await tryout(tmp_path, Shelf()).translate("fr-de", "a", "Un.")


async def test_without_a_database_versions_are_told_all_the_same(settings: Settings) -> None:
    catalogue = Catalogue(settings, Database("sqlite+aiosqlite:////nowhere/at/all.db"))
    found = {
        entry.info.version: entry.status for entry in (await catalogue.listing()).entries if entry.info.pair == PAIR
    }
    assert found["default"] == "current" and found["third"] == "candidate"
    assert await catalogue.run_of(PAIR, "third") is None
