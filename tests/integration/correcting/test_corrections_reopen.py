"""Decisions taken back, and the corrections of one sentence side by side, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
from corrections_kit import (
    CORRECTED,
    PATH,
    SOURCE,
    People,
    app_on,
    decided,
    people_of,
    state,
    submitted,
    translated,
)
from fakes import problem
from patience import eventually
from sqlalchemy import select

from app.storage.db import Database
from app.storage.tables import APPROVED, CURRENT, Correction, ModelVersion, TrainedCorrection

OTHER = "The ferry departs at half past seven."
THIRD = "The ferry sails at half past seven."
TRAIN = "Il treno parte alle sette e mezza."


async def reopened(client: httpx.AsyncClient, correction: dict[str, Any]) -> dict[str, Any]:
    return await decided(client, correction, "reopen")


async def statuses(client: httpx.AsyncClient, *corrections: dict[str, Any]) -> list[str]:
    return [(await client.get(f"{PATH}/{one['id']}")).json()["status"] for one in corrections]


async def test_what_was_decided_waits_again(people: People) -> None:
    reviewer, sent = await people.reviewer(), await submitted(people.stranger)
    for action, body in (("approve", {}), ("reject", {"reason": "no"})):
        await decided(reviewer, sent, action, **body)
        found = await reopened(reviewer, sent)
        assert (found["status"], found["reason"], found["confirmations"]) == ("pending", None, 0), action
        assert (found["reviewer"], found["reviewed_at"], found["confirmed_by"]) == (None, None, [])
        assert await translated(people.stranger, SOURCE) == SOURCE.upper(), "memory answers with what nobody approved"
    before = await reopened(reviewer, sent)
    assert await reopened(reviewer, sent) == before, "what waits already is not changed"
    problem(await reviewer.post(f"{PATH}/{uuid.uuid4()}/reopen"), 404, "not-found")
    problem(await (await people.author()).post(f"{PATH}/{sent['id']}/reopen"), 403, "forbidden")
    problem(await people.stranger.post(f"{PATH}/{sent['id']}/reopen"), 401, "not-authorised")
    text = (await people.stranger.get("/metrics")).text
    assert 'traghetto_corrections_total{outcome="reopened",pair="it-en"} 2.0' in text


async def test_what_it_had_superseded_comes_back(people: People) -> None:
    first, winner = await submitted(people.stranger), await submitted(people.stranger, OTHER)
    same, third = await submitted(people.stranger, OTHER), await submitted(people.stranger, THIRD)
    before = await decided(people.admin, first, "approve")
    await decided(people.admin, winner, "approve")
    assert await statuses(people.admin, first, winner, same, third) == [
        "superseded", "approved", "superseded", "pending",
    ]  # fmt: skip
    await reopened(people.admin, winner)
    assert await statuses(people.admin, first, winner, same, third) == ["approved", "pending", "pending", "pending"]
    assert await translated(people.stranger, SOURCE) == CORRECTED, "the one approved before must answer again"
    back = (await people.admin.get(f"{PATH}/{first['id']}")).json()
    for name in ("reason", "reviewer", "reviewed_at", "confirmed_by", "state"):
        assert back[name] == before[name], name


async def test_only_the_one_before_comes_back(people: People) -> None:
    first, second, third = [await submitted(people.stranger, text) for text in (CORRECTED, OTHER, THIRD)]
    for one in (first, second, third):
        await decided(people.admin, one, "approve")
    await reopened(people.admin, third)
    assert await statuses(people.admin, first, second, third) == ["superseded", "approved", "pending"]
    await decided(people.admin, second, "reject", reason="no")
    await decided(people.admin, third, "approve")
    await decided(people.admin, second, "approve")  # supersedes the third, as it did with the first before
    await reopened(people.admin, second)
    assert await statuses(people.admin, first, second, third) == ["superseded", "pending", "approved"]
    assert await state(people.admin, first) == f"superseded by {third['id']}"


async def test_of_several_that_were_beaten_the_one_that_was_approved_last_comes_back(people: People) -> None:
    texts = (CORRECTED, OTHER, THIRD, "The ferry is off at half past seven.")
    a, b, c, d = [await submitted(people.stranger, text) for text in texts]
    for one in (a, b, c, d):
        await decided(people.admin, one, "approve")
    await reopened(people.admin, b)  # superseded: now A says that it was superseded by D
    await reopened(people.admin, d)
    assert await statuses(people.admin, a, b, c, d) == ["superseded", "pending", "approved", "pending"]
    assert await translated(people.stranger, SOURCE) == THIRD


async def test_one_that_is_approved_meanwhile_goes_on_answering(people: People) -> None:
    first, second = await submitted(people.stranger), await submitted(people.stranger, OTHER)
    same, third = await submitted(people.stranger, OTHER), await submitted(people.stranger, THIRD)
    for one in (first, second, third):
        await decided(people.admin, one, "approve")
    await reopened(people.admin, second)
    assert await statuses(people.admin, first, second, same, third) == [
        "superseded", "pending", "pending", "approved",
    ]  # fmt: skip
    assert await translated(people.stranger, SOURCE) == THIRD
    assert await state(people.admin, first) == f"superseded by {third['id']}", "as if the second had not been approved"
    await reopened(people.admin, third)
    assert await translated(people.stranger, SOURCE) == CORRECTED
    assert await statuses(people.admin, first, second, same, third) == [
        "approved", "pending", "pending", "pending",
    ]  # fmt: skip


async def test_what_says_the_same_as_the_one_that_answers_stays_settled(people: People) -> None:
    first, again = await submitted(people.stranger), await submitted(people.stranger)
    same = await submitted(people.stranger)
    await decided(people.admin, first, "approve")
    await decided(people.admin, again, "approve")
    await reopened(people.admin, first)
    assert await statuses(people.admin, first, again, same) == ["pending", "approved", "superseded"]
    assert await state(people.admin, same) == f"superseded by {again['id']}"


async def test_what_a_model_has_learned_it_has_still_learned(people: People, database: Database) -> None:
    sent = await submitted(people.stranger)
    await decided(people.admin, sent, "approve")
    async with database.writing() as session:
        session.add(ModelVersion(pair="it-en", version="v2", status=CURRENT))
        await session.flush()
        session.add(TrainedCorrection(correction_id=uuid.UUID(sent["id"]), pair="it-en", version="v2"))
    found = await reopened(people.admin, sent)
    assert (found["state"], found["trained_in"]) == ("pending", ["v2"])
    assert (await decided(people.admin, sent, "approve"))["state"] == "trained in v2"


async def test_a_decision_about_many_is_taken_back_in_one_step(people: People) -> None:
    before = await submitted(people.stranger)
    await decided(people.admin, before, "approve")
    rivals = [await submitted(people.stranger, text) for text in (OTHER, THIRD)]
    other = await submitted(people.stranger, source_text=TRAIN)
    ids = [one["id"] for one in (*rivals, other)]

    async def bulk(action: str, *more: str) -> list[dict[str, Any]]:
        response = await people.admin.post(f"{PATH}/bulk", json={"action": action, "ids": [*ids, *more]})
        assert response.status_code == 200, response.text
        outcomes: list[dict[str, Any]] = response.json()["outcomes"]
        return outcomes

    assert [one["status"] for one in await bulk("approve")] == ["superseded", "approved", "approved"]
    unknown = str(uuid.uuid4())
    outcomes = await bulk("reopen", unknown, "nonsense")
    assert [one["status"] for one in outcomes] == ["pending", "pending", "pending", None, None]
    assert [one["problem"] is None for one in outcomes] == [True, True, True, False, False]
    assert await statuses(people.admin, before) == ["approved"]
    assert await translated(people.stranger, SOURCE) == CORRECTED
    assert await translated(people.stranger, TRAIN) == TRAIN.upper()


async def test_two_people_must_have_approved_what_comes_back(url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        one_is_enough = await stack.enter_async_context(people_of(app_on(url, tmp_path)))
        hasty = await submitted(one_is_enough.stranger, source_text=TRAIN)
        await decided(await one_is_enough.reviewer(), hasty, "approve")
        people = await stack.enter_async_context(people_of(app_on(url, tmp_path, corrections_confirmations=2)))
        first, second = await people.reviewer(), await people.reviewer()
        old, new = await submitted(people.stranger), await submitted(people.stranger, OTHER)
        same, later = (
            await submitted(people.stranger, OTHER),
            await submitted(people.stranger, OTHER, source_text=TRAIN),
        )
        await decided(first, same, "approve")
        for sent in (old, new, later):
            for reviewer in (first, second):
                await decided(reviewer, sent, "approve")
        assert await statuses(people.admin, old, new, same, hasty) == [
            "superseded", "approved", "superseded", "superseded",
        ]  # fmt: skip
        await reopened(first, new)
        back, waiting = [(await first.get(f"{PATH}/{one['id']}")).json() for one in (old, same)]
        assert (back["status"], back["confirmations"]) == ("approved", 2)
        assert (waiting["status"], waiting["confirmations"]) == ("pending", 1), "its confirmation was not taken back"
        await reopened(first, later)
        assert await statuses(people.admin, hasty) == ["pending"], "only one person has approved it"
        assert await translated(people.stranger, TRAIN) == TRAIN.upper()
        await decided(first, later, "approve")
        assert (await reopened(second, later))["confirmations"] == 0


async def test_a_superseded_one_needs_both_again(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, corrections_confirmations=2)) as people:
        reviewers = await people.reviewer(), await people.reviewer()
        old, new = await submitted(people.stranger), await submitted(people.stranger, OTHER)
        for sent in (old, new):
            for reviewer in reviewers:
                await decided(reviewer, sent, "approve")
        assert (await decided(reviewers[0], old, "approve"))["status"] == "pending"
        assert await translated(people.stranger, SOURCE) == OTHER


async def test_of_many_decided_and_reopened_at_once_at_most_one_answers(url: str, tmp_path: Path) -> None:
    """Through two servers on one database; both answer the same in the end."""
    async with AsyncExitStack() as stack:
        here, there = [await stack.enter_async_context(people_of(app_on(url, tmp_path))) for _ in range(2)]
        sent = [await submitted(here.stranger, f"The ferry leaves at half past seven{'!' * n}") for n in range(6)]
        for _ in range(3):
            work = [
                (here, there)[n % 2].admin.post(f"{PATH}/{one['id']}/{action}")
                for n, one in enumerate(sent)
                for action in ("approve", "reopen")
            ]
            answers = await asyncio.gather(*work)
            assert {one.status_code for one in answers} == {200}, [one.text for one in answers]
            async with here.app.state.services.database.reading() as session:
                approved = (await session.scalars(select(Correction).where(Correction.status == APPROVED))).all()
            assert len(approved) <= 1, "two corrections of one sentence are approved"
            expected = approved[0].corrected_translation if approved else SOURCE.upper()

            async def heard(expected: str = expected) -> bool:
                return [await translated(one.stranger, SOURCE) for one in (here, there)] == [expected] * 2

            await eventually(heard, "both servers hear of it")


# --- rivals ---------------------------------------------------------------------------------------------------------


async def test_rivals_are_all_of_one_sentence(people: People) -> None:
    one = await submitted(people.stranger)
    other = await submitted(people.stranger, OTHER, source_text=SOURCE.lower().rstrip("."))
    third = await submitted(people.stranger, THIRD)
    await submitted(people.stranger, source_text=TRAIN)
    back: dict[str, Any] = {"source": "en", "target": "it", "source_text": CORRECTED, "corrected_translation": SOURCE}
    await submitted(people.stranger, **back)
    await decided(people.admin, other, "reject", reason="no")

    async def page(**query: Any) -> dict[str, Any]:
        response = await people.admin.get(PATH, params=query)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    for of in (one, other, third):
        found = await page(rivals_of=of["id"])
        assert [it["id"] for it in found["corrections"]] == [it["id"] for it in (third, other, one)]
    assert [it["id"] for it in (await page(rivals_of=one["id"], status="pending", order="oldest"))["corrections"]] == [
        one["id"], third["id"],
    ]  # fmt: skip
    first = await page(rivals_of=one["id"], limit=2)
    second = await page(rivals_of=one["id"], limit=2, cursor=first["next_cursor"])
    assert (first["total"], [it["id"] for it in second["corrections"]]) == (3, [one["id"]])
    assert (await page(rivals_of=str(uuid.uuid4())))["corrections"] == []
    assert [it["rivals"] for it in (await page(order="oldest"))["corrections"]] == [1, 2, 1, 0, 0], (
        "of each, the others of its sentence that are not rejected"
    )
    problem(await people.admin.get(PATH, params={"rivals_of": "x"}), 422, "invalid-request")
