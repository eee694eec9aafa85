"""Whether a retraining is due is counted in the database, and comes to what looking at every correction would say."""

from __future__ import annotations

import dataclasses
import datetime as dt
import random
import shutil
import uuid
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, func, select, update
from stored import correction, store

from app.retraining.service import RetrainingService, Standing
from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import APPROVED, PENDING, REJECTED, Correction, RetrainingRun, TrainedCorrection, now
from app.versions.promotion import promote
from app.versions.registry import ancestry, is_learnt, reconcile
from app.versions.store import current_version, model_roots
from model.versions import store as versions

PAIR = "it-en"
VERSIONS = ("v1", "v2", "v3")
SIDE = "side"
"""Of versions that were made beside these, and never served."""


@pytest.fixture
def settings(url: str, tmp_path: Path, tiny_data_dir: Path) -> Settings:
    data_dir = tmp_path / "data"
    shutil.copytree(tiny_data_dir, data_dir)
    return Settings(data_dir=data_dir, database_url=url, device="cpu")


def make_version(settings: Settings, name: str, parent: str, ids: list[uuid.UUID], read_at: dt.datetime) -> None:
    """A version folder whose card says that it was trained on `ids`, as they were at `read_at`."""
    loaded = versions.load(settings.data_dir / "models" / PAIR / "default")
    card = {
        "parent": f"{PAIR}/{parent}",
        "data": {"corrections": {"ids": [str(one) for one in ids], "read_at": read_at.isoformat()}},
    }
    versions.save(settings.data_dir / "models", PAIR, name, loaded.model, (loaded.source, loaded.target), card)


async def slowly(database: Database, settings: Settings) -> Standing:
    """Every approved correction, looked at one by one."""
    learnt = ancestry(model_roots(settings), PAIR, current_version(settings, PAIR) or "")
    async with database.reading() as session:
        rows = (await session.scalars(select(Correction).where(Correction.pair == PAIR))).all()
        last = await session.scalar(select(func.max(RetrainingRun.started_at)))
    new = [row for row in rows if row.status == APPROVED and not is_learnt(row, learnt)]
    return Standing(len(new), max((row.changed_at for row in new), default=None), last)


async def disturb(database: Database, chosen: random.Random, ids: list[uuid.UUID]) -> None:
    """What people do to corrections: some are rejected, approved again, edited, deleted."""
    async with database.writing() as session:
        for one in ids:
            deed = chosen.choice(("nothing", "nothing", "reject", "approve", "edit", "delete"))
            row = await session.get(Correction, one)
            if row is None or deed == "nothing":
                continue
            if deed == "delete":
                await session.delete(row)
                continue
            row.changed_at = now()
            row.status = REJECTED if deed == "reject" else APPROVED
            if deed == "edit":
                row.corrected_translation += "!"
                gone = TrainedCorrection.correction_id == one
                await session.execute(TrainedCorrection.__table__.delete().where(gone))


async def test_it_is_what_looking_at_every_correction_says(database: Database, settings: Settings) -> None:
    chosen = random.Random(5)
    service = RetrainingService(settings, database)
    assert await service.standing(PAIR) == Standing(0, None, None)
    ids: list[uuid.UUID] = []
    parent = "default"
    for turn, version in enumerate(VERSIONS):
        rows = [
            correction(f"Frase {turn} {n}.", f"Phrase {n}.", chosen.choice((APPROVED, APPROVED, PENDING)))
            for n in range(60)
        ]
        ids += await store(database, *rows, correction(f"One {turn}.", "Uno.", pair="en-it"))
        assert await service.standing(PAIR) == await slowly(database, settings)
        trained = [one for one in ids if chosen.random() < 0.5]
        make_version(settings, version, parent, [*trained, uuid.uuid4()], now())
        make_version(settings, f"{version}-{SIDE}", parent, ids, now())
        promote(settings, PAIR, version)
        await reconcile(database, settings)
        parent = version
        assert await service.standing(PAIR) == await slowly(database, settings)
        await disturb(database, chosen, chosen.sample(ids, 40))
        await reconcile(database, settings)
        found = await service.standing(PAIR)
        assert found == await slowly(database, settings)
        assert found.new > 0 and found.newest is not None, "or nothing was compared"
    moment = now()
    async with database.writing() as session:
        session.add(RetrainingRun(pair=PAIR, parent="a", candidate="b", started_at=moment))
    assert await service.standing(PAIR) == dataclasses.replace(found, last_run=moment)


async def test_no_correction_leaves_the_database(database: Database, settings: Settings) -> None:
    """A million rows each half minute, in every worker, would be all that the server does."""
    ids = await store(database, *(correction(f"Frase {n}.", f"Phrase {n}.") for n in range(2000)))
    make_version(settings, "first", "default", ids[:1500], now())
    promote(settings, PAIR, "first")
    await reconcile(database, settings)
    async with database.writing() as session:
        await session.execute(update(Correction).where(Correction.id == ids[0]).values(changed_at=now()))
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    found = await RetrainingService(settings, database).standing(PAIR)
    event.remove(database.engine.sync_engine, "before_cursor_execute", note)
    assert found.new == 501
    asked = [one for one in seen if "FROM corrections" in one]
    assert len(asked) == 1
    columns = asked[0].partition("FROM corrections")[0]
    assert "count(" in columns and "corrections.id" not in columns and "source_text" not in asked[0]
