"""Who runs the server is one person, by administration key, on this machine or at its command line: two people are
two."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from corrections_kit import CORRECTED, MACHINE, PATH, SOURCE, app_on, decided, people_of, submitted
from fakes import problem

from app.access.client import Client
from app.commands.correction_files import OWNER
from app.corrections.service import Corrections
from app.corrections.values import Draft
from app.scopes import ALL_SCOPES
from app.settings import Settings
from app.storage.db import Database
from app.translating.detection import detect

TWO: dict[str, Any] = {"corrections_confirmations": 2}
OTHER = "The ferry departs at half past seven."
SESSION = "a session of our own making"
DRAFT = Draft("it", "en", SOURCE, MACHINE, CORRECTED)


async def test_the_administrator_does_not_confirm_his_own(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, **TWO)) as people:
        sent = await submitted(people.admin)
        assert "session" not in sent, "who has the key needs no token"
        problem(await people.admin.post(f"{PATH}/{sent['id']}/approve"), 403, "forbidden")
        first, second = await people.reviewer(), await people.reviewer()
        for reviewer in (first, second):
            found = await decided(reviewer, sent, "approve")
        assert found["status"] == "approved"
        edited = await people.admin.patch(f"{PATH}/{sent['id']}", json={"corrected_translation": OTHER})
        assert (edited.json()["status"], edited.json()["confirmations"]) == ("pending", 0)
        assert (await people.admin.delete(f"{PATH}/{sent['id']}")).status_code == 204


async def test_the_owner_of_this_machine_is_known_with_and_without_a_session(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, admin_key=None, **TWO)) as people:
        in_session = people.in_session(SESSION)
        for author in (people.stranger, in_session):  # on such a server they are the owner
            sent = await submitted(author)
            for same in (people.stranger, in_session):
                problem(await same.post(f"{PATH}/{sent['id']}/approve"), 403, "forbidden")


async def test_the_command_line_and_the_key_are_one_person(database: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=database.url, **TWO)
    corrections = Corrections(database, settings, detect)
    admin = Client("admin key", ALL_SCOPES)
    own = (await corrections.submit(DRAFT, OWNER)).found.correction.id
    for same in (OWNER, admin):
        (outcome,) = await corrections.decide([own], same)
        assert outcome.problem, "an author confirmed himself"
    stranger = Client("anonymous", frozenset({"correct"}))
    foreign = (await corrections.submit(DRAFT, stranger)).found.correction.id
    for same in (OWNER, admin):
        (outcome,) = await corrections.decide([foreign], same)
        assert (outcome.status, outcome.confirmations) == ("pending", 1), "one person counted twice"
