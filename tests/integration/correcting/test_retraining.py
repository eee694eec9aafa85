"""Retraining on real databases with a stand-in trainer: what is trained on, what is recorded, what a crash leaves."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import shutil
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from corrections_kit import ADMIN_KEY, app_on, people_of
from patience import wait_until
from sqlalchemy import delete, select, update
from stored import correction, store

from app.retraining.leftovers import AlreadyRunning, clear_leftovers, only_one
from app.retraining.run import NothingToDo, retrain_pair
from app.retraining.service import Standing, is_due
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import Correction, ModelVersion, RetrainingRun, TrainedCorrection
from app.versions.promotion import promote, rollback
from app.versions.registry import reconcile
from app.versions.store import current_version
from model.versions import store as versions
from training.adapting.job import CONSENTED, CORRECTIONS, MODELS, Job

T = TypeVar("T")


@pytest.fixture
def settings(url: str, tmp_path: Path, tiny_data_dir: Path) -> Settings:
    """Settings of a data directory with the tiny model."""
    data_dir = tmp_path / "data"
    shutil.copytree(tiny_data_dir, data_dir)
    return Settings(data_dir=data_dir, database_url=url, device="cpu", admin_key=ADMIN_KEY)


@dataclass
class StandIn:
    """Copies the parent instead of training it."""

    passes: bool = True
    fails: type[BaseException] | None = None
    given: list[str] = field(default_factory=list)
    """Source texts that it was given, of all runs."""

    def __call__(self, folder: Path) -> dict[str, Any]:
        job = Job.read(folder)
        rows = [json.loads(line) for line in (folder / CORRECTIONS).read_text().splitlines()]
        assert (folder / CONSENTED).read_text() == ""
        self.given = [row["source_text"] for row in rows]
        parent = versions.load(versions.find([Path(root) for root in job.roots], job.pair, job.parent))
        card = {
            "parent": f"it-en/{parent.card.version}",
            "data": {"corrections": {"ids": [row["id"] for row in rows]}},
        }
        versions.save(folder / MODELS, "it-en", job.version, parent.model, (parent.source, parent.target), card)
        if self.fails is not None:
            raise self.fails("the trainer stopped")
        changed = [{"id": row["id"], "source": row["source_text"], "reference": "<b>", "before": "a", "after": "b",
                    "gain": 1.0} for row in rows]  # fmt: skip
        return {
            "pair": "it-en", "candidate": job.version, "current": parent.card.version, "passed": self.passes,
            "reasons": [] if self.passes else ["general loses 3 BLEU"], "strength": 1.0, "replay": "none", "seconds": 1,
            "answers": {"why": "answers 1 of 1 corrections itself; before, 0"},
            "left_out": [], "sets": [{"name": "corrections", "sentences": 1, "measure": "BLEU", "before": 1.0,
                                      "after": 2.0, "delta": 1.0, "interval": [0.5, 1.5], "passed": True, "why": "",
                                      "changed": changed, "notes": {}}],
            "attempts": [{"strength": 1.0, "passed": self.passes, "why": {"general": "loses 3 BLEU"}}],
        }  # fmt: skip


def on(settings: Settings, work: Callable[[Database], Awaitable[T]]) -> T:
    """`work` on the database, in a loop of its own, as a command does."""

    async def opened() -> T:
        database = Database(settings.database)
        try:
            return await work(database)
        finally:
            await database.close()

    return asyncio.run(opened())


def approve(settings: Settings, *sources: str) -> None:
    on(settings, lambda database: store(database, *(correction(source, f"{source}!") for source in sources)))


def rows(settings: Settings, table: type[T]) -> list[T]:
    async def read(database: Database) -> list[T]:
        async with database.reading() as session:
            return list((await session.scalars(select(table))).all())

    return on(settings, read)


def status_of(settings: Settings, version: str) -> str:
    return next(row.status for row in rows(settings, ModelVersion) if (row.pair, row.version) == ("it-en", version))


def test_a_server_that_shares_a_store_goes_on_from_what_another_one_has_learnt(
    settings: Settings, tmp_path: Path, tiny_data_dir: Path
) -> None:
    """The database is the same, the data directories are not."""
    (tmp_path / "store").mkdir()
    one, two = (
        settings.model_copy(update={"data_dir": tmp_path / name, "models_url": f"file://{tmp_path / 'store'}"})
        for name in ("data", "other")
    )
    shutil.copytree(tiny_data_dir, two.data_dir)
    trainer = StandIn()
    approve(settings, "uno")
    first = retrain_pair(one, "it-en", trainer)
    with pytest.raises(NothingToDo):
        retrain_pair(two, "it-en", trainer)
    approve(settings, "due")
    second = retrain_pair(two, "it-en", trainer)
    assert (second.state, second.parent, trainer.given) == ("promoted", first.candidate, ["due"])
    assert second.candidate != first.candidate, "the name is free in the store too"
    approve(settings, "tre")
    third = retrain_pair(one, "it-en", trainer)
    assert (third.parent, trainer.given) == (second.candidate, ["tre"])
    stored = {path.parent.name for path in (tmp_path / "store" / "it-en").glob("*/card.json")}
    assert stored >= {run.candidate for run in (first, second, third)}
    assert status_of(settings, third.candidate) == "current"


def test_each_correction_is_learnt_once_along_the_ancestry(settings: Settings) -> None:
    trainer = StandIn()
    approve(settings, "uno", "due")
    first = retrain_pair(settings, "it-en", trainer)
    assert (first.state, first.corrections, sorted(trainer.given)) == ("promoted", 2, ["due", "uno"])
    assert current_version(settings, "it-en") == first.candidate
    with pytest.raises(NothingToDo):
        retrain_pair(settings, "it-en", trainer)
    approve(settings, "tre")
    second = retrain_pair(settings, "it-en", trainer)
    assert trainer.given == ["tre"], "what an ancestor learnt must not be learnt again"
    rollback(settings, "it-en")
    rollback(settings, "it-en")
    assert current_version(settings, "it-en") == "default"
    third = retrain_pair(settings, "it-en", trainer)
    assert sorted(trainer.given) == ["due", "tre", "uno"], "after a rollback, what was undone is learnt anew"
    assert len({first.candidate, second.candidate, third.candidate}) == 3
    states = {version: status_of(settings, version) for version in (first.candidate, third.candidate, "default")}
    assert states == {first.candidate: "retired", third.candidate: "current", "default": "retired"}


def test_a_candidate_that_the_gate_refuses_leaves_only_its_report(settings: Settings) -> None:
    approve(settings, "uno")
    result = retrain_pair(settings, "it-en", StandIn(passes=False))
    assert (result.state, current_version(settings, "it-en")) == ("rejected", "default")
    assert not (settings.data_dir / "models" / "it-en" / result.candidate).exists()
    (run,) = rows(settings, RetrainingRun)
    assert (run.state, run.log, run.report) == ("rejected", "general loses 3 BLEU", result.report)
    assert status_of(settings, result.candidate) == "rejected"


def test_a_dry_run_keeps_the_candidate_and_does_not_promote(settings: Settings) -> None:
    approve(settings, "uno")
    result = retrain_pair(settings, "it-en", StandIn(), dry_run=True)
    assert (result.state, current_version(settings, "it-en")) == ("kept", "default")
    versions.verify(settings.data_dir / "models" / "it-en" / result.candidate)
    assert status_of(settings, result.candidate) == "candidate"


@pytest.mark.parametrize(("error", "state"), [(KeyboardInterrupt, "interrupted"), (RuntimeError, "failed")])
def test_a_run_that_stops_leaves_no_version(settings: Settings, error: type[BaseException], state: str) -> None:
    approve(settings, "uno")
    with pytest.raises(error):
        retrain_pair(settings, "it-en", StandIn(fails=error))
    assert [run.state for run in rows(settings, RetrainingRun)] == [state]
    assert current_version(settings, "it-en") == "default"
    assert sorted(path.name for path in (settings.data_dir / "models" / "it-en").iterdir()) == ["default", "second"]
    assert list((settings.data_dir / "retraining").iterdir()) == [], "the work folder holds texts, and must go"


def test_only_one_runs_and_a_dead_one_is_noticed(settings: Settings) -> None:
    approve(settings, "uno")

    async def leave_running(database: Database) -> None:
        async with database.writing() as session:
            session.add(RetrainingRun(pair="it-en", parent="default", candidate="x"))

    on(settings, leave_running)
    with only_one(settings), pytest.raises(AlreadyRunning):
        retrain_pair(settings, "it-en", StandIn())
    assert [run.state for run in rows(settings, RetrainingRun)] == ["running"]
    retrain_pair(settings, "it-en", StandIn())
    assert sorted(run.state for run in rows(settings, RetrainingRun)) == ["interrupted", "promoted"]


def test_a_run_that_is_stopped_at_the_promotion_leaves_no_version(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The candidate is among the versions by then; one that nobody promoted must not stay."""

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("app.retraining.run.promote", interrupted)
    approve(settings, "uno")
    with pytest.raises(KeyboardInterrupt):
        retrain_pair(settings, "it-en", StandIn())
    assert [run.state for run in rows(settings, RetrainingRun)] == ["interrupted"]
    assert sorted(path.name for path in (settings.data_dir / "models" / "it-en").iterdir()) == ["default", "second"]


def killed(settings: Settings, candidate: str) -> Path:
    """What a run leaves that was killed: a file with texts, and a row that says `running`; the file."""
    text = settings.data_dir / "retraining" / "tmp1" / CORRECTIONS
    text.parent.mkdir(parents=True)
    text.write_text("secret")

    async def leave_running(database: Database) -> None:
        async with database.writing() as session:
            session.add(RetrainingRun(pair="it-en", parent="default", candidate=candidate))

    on(settings, leave_running)
    return text


async def test_a_server_clears_at_its_start_what_a_killed_run_left(settings: Settings) -> None:
    text = await asyncio.to_thread(killed, settings, "corrected-x-1")
    half = settings.data_dir / "models" / "it-en" / "corrected-x-1"
    await asyncio.to_thread(shutil.copytree, settings.data_dir / "models" / "it-en" / "second", half)

    def cleared() -> bool:
        return [run.state for run in rows(settings, RetrainingRun)] == ["interrupted"]

    async with people_of(app_on(settings.database, settings.data_dir)):
        await asyncio.to_thread(wait_until, cleared, "the dead run is recorded as interrupted")
    assert not text.exists(), "they are texts of users"
    assert not half.exists(), "a run that did not end must leave no version"


def test_a_run_that_is_going_on_is_left_alone(settings: Settings) -> None:
    text = killed(settings, "corrected-x-1")
    with only_one(settings):
        on(settings, lambda database: clear_leftovers(settings, database))
        assert text.exists()
    assert [run.state for run in rows(settings, RetrainingRun)] == ["running"]


def test_a_run_that_was_killed_after_the_pointer_moved_was_a_promotion(settings: Settings) -> None:
    killed(settings, "second")
    promote(settings, "it-en", "second")
    on(settings, lambda database: clear_leftovers(settings, database))
    assert [run.state for run in rows(settings, RetrainingRun)] == ["promoted"]
    versions.verify(settings.data_dir / "models" / "it-en" / "second")


def test_a_deleted_correction_is_not_linked_again(settings: Settings) -> None:
    approve(settings, "uno")
    retrain_pair(settings, "it-en", StandIn())

    async def forget(database: Database) -> None:
        async with database.writing() as session:
            await session.execute(delete(Correction))
        await reconcile(database, settings)

    on(settings, forget)
    assert rows(settings, TrainedCorrection) == []


async def test_runs_and_the_page_of_a_report(settings: Settings) -> None:
    await asyncio.to_thread(approve, settings, "Il <script>")
    result = await asyncio.to_thread(retrain_pair, settings, "it-en", StandIn())
    async with people_of(app_on(settings.database, settings.data_dir)) as people:
        assert (await people.stranger.get("/v1/retraining")).status_code == 401
        listed = (await people.admin.get("/v1/retraining")).json()["runs"]
        one = (await people.admin.get(f"/v1/retraining/{result.id}")).json()
        page = await people.admin.get(f"/v1/retraining/{result.id}/report")
        missing = await people.admin.get("/v1/retraining/00000000-0000-0000-0000-000000000000/report")
    assert [(run["state"], run["corrections"], run["report"]) for run in listed] == [("promoted", 1, None)]
    assert one["report"] == result.report
    assert page.status_code == 200 and result.candidate in page.text
    assert "answers 1 of 1 corrections itself; before, 0" in page.text
    assert "Il &lt;script&gt;" in page.text and "<script" not in page.text, "texts of strangers must be escaped"
    assert missing.status_code == 404
    assert [run["report_url"] for run in listed] == [None], "links are given one by one"


async def test_the_page_of_a_report_opens_by_its_link_without_a_key(settings: Settings) -> None:
    await asyncio.to_thread(approve, settings, "uno")
    result = await asyncio.to_thread(retrain_pair, settings, "it-en", StandIn())
    async with people_of(app_on(settings.database, settings.data_dir)) as people:
        url = (await people.admin.get(f"/v1/retraining/{result.id}")).json()["report_url"]
        page = await people.stranger.get(url)
        assert page.status_code == 200 and result.candidate in page.text
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"
        assert (await people.stranger.get(url.replace("/report", ""))).status_code == 401, "it opens nothing else"
        other = url.replace(str(result.id), "00000000-0000-0000-0000-000000000000")
        assert (await people.stranger.get(other)).status_code == 403, "nor another report"
        for wrong in (url[:-1], url[:-1] + ("0" if url[-1] != "0" else "1"), url + "&expires=99999999999"):
            refused = await people.stranger.get(wrong)
            assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden"), wrong
        assert (await people.stranger.get(url.partition("&")[0])).status_code == 401
    async with people_of(app_on(settings.database, settings.data_dir)) as replica:
        assert (await replica.stranger.get(url)).status_code == 200, "replicas share the data directory"


async def test_the_page_of_a_run_from_before_shows_what_it_has(settings: Settings) -> None:
    """Reports are kept as they were made; later ones say more."""
    await asyncio.to_thread(approve, settings, "uno")
    result = await asyncio.to_thread(retrain_pair, settings, "it-en", StandIn())
    new = {"answers", "attempts", "strength", "left_out"}
    old = {name: value for name, value in (result.report or {}).items() if name not in new}
    async with people_of(app_on(settings.database, settings.data_dir)) as people:
        async with people.app.state.services.database.writing() as session:
            await session.execute(update(RetrainingRun).values(report=old))
        page = await people.admin.get(f"/v1/retraining/{result.id}/report")
    assert page.status_code == 200, page.text
    assert "The gate lets it pass" in page.text and "uno" in page.text


@dataclass
class Forgetful(StandIn):
    """A trainer while which a correction is deleted by its author."""

    settings: Settings | None = None

    def __call__(self, folder: Path) -> dict[str, Any]:
        async def forget(database: Database) -> None:
            async with database.writing() as session:
                await session.execute(delete(Correction).where(Correction.source_text == "segreto"))

        report = super().__call__(folder)
        assert self.settings is not None
        with ThreadPoolExecutor(1) as thread:
            thread.submit(on, self.settings, forget).result()
        return report


@pytest.mark.parametrize("passes", [True, False])
def test_what_is_deleted_during_a_run_is_not_in_its_report(settings: Settings, passes: bool) -> None:
    approve(settings, "segreto", "uno")
    result = retrain_pair(settings, "it-en", Forgetful(passes=passes, settings=settings))
    (run,) = rows(settings, RetrainingRun)
    for report in (run.report, result.report):
        assert "uno" in json.dumps(report)
        assert "segreto" not in json.dumps(report), "its author wanted it forgotten"


async def test_a_stale_link_does_not_keep_out_who_may_review(settings: Settings) -> None:
    await asyncio.to_thread(approve, settings, "uno")
    result = await asyncio.to_thread(retrain_pair, settings, "it-en", StandIn())
    stale = f"/v1/retraining/{result.id}/report?expires=1&signature=0"
    async with people_of(app_on(settings.database, settings.data_dir)) as people:
        assert (await people.admin.get(stale)).status_code == 200
        assert (await (await people.reviewer()).get(stale)).status_code == 200
        assert (await (await people.author()).get(stale)).status_code == 403
        assert (await people.stranger.get(stale)).status_code == 403
        assert not (settings.data_dir / "links.key").exists(), "a stranger had the server write a file"
        (settings.data_dir / "links.key").write_bytes(b"short")
        refused = await people.stranger.get(stale)
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    assert str(settings.data_dir) not in refused.text


async def test_without_a_key_file_a_run_is_told_without_a_link(settings: Settings) -> None:
    await asyncio.to_thread(approve, settings, "uno")
    result = await asyncio.to_thread(retrain_pair, settings, "it-en", StandIn())
    (settings.data_dir / "links.key").mkdir()
    async with people_of(app_on(settings.database, settings.data_dir, admin_key=None)) as people:
        one = await people.stranger.get(f"/v1/retraining/{result.id}")
        assert (one.status_code, one.json()["report_url"]) == (200, None)


MIDNIGHT = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("options", "new", "last_run_h", "hour", "due"),
    [
        ({"retrain_after": 3}, 3, None, 12, True),
        ({"retrain_after": 3}, 2, None, 12, False),
        ({"retrain_after": 3}, 3, 11, 12, False),  # judged already, nothing new since
        ({"retrain_at": dt.time(3)}, 1, None, 3, True),
        ({"retrain_at": dt.time(3)}, 0, None, 3, False),
        ({"retrain_at": dt.time(3)}, 1, None, 12, False),  # a server started at noon waits for the night
        ({"retrain_at": dt.time(3)}, 1, 2, 3, True),
        ({}, 100, None, 3, False),
    ],
)
def test_when_a_retraining_is_due(
    options: dict[str, Any], new: int, last_run_h: int | None, hour: int, due: bool, tmp_path: Path
) -> None:
    newest = MIDNIGHT + dt.timedelta(hours=2, minutes=30) if new else None
    last = MIDNIGHT + dt.timedelta(hours=last_run_h) if last_run_h is not None else None
    moment = MIDNIGHT + dt.timedelta(hours=hour, minutes=5)
    assert is_due(Standing(new, newest, last), Settings(data_dir=tmp_path, **options), moment) is due
