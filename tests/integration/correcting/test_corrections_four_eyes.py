"""Where two people must approve, no one person's text may answer: also not by an edit."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from corrections_kit import (
    CORRECTED,
    PATH,
    SOURCE,
    People,
    app_on,
    decided,
    people_of,
    submitted,
    translated,
)
from patience import eventually

OTHER = "The ferry departs at half past seven."
SESSION = "a session of our own making"


async def answers(people: People, expected: str) -> None:
    """Wait until this server answers so."""

    async def so() -> bool:
        return await translated(people.stranger, SOURCE) == expected

    await eventually(so, f"it answers {expected!r}")


async def edited(client: Any, correction: dict[str, Any], text: str) -> dict[str, Any]:
    response = await client.patch(f"{PATH}/{correction['id']}", json={"corrected_translation": text})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_an_edit_by_one_waits_for_the_second_in_every_server(url: str, tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        here, there = [
            await stack.enter_async_context(people_of(app_on(url, tmp_path, corrections_confirmations=2)))
            for _ in range(2)
        ]
        first, second = await here.reviewer(), await here.reviewer()
        sent = await submitted(here.stranger)
        for reviewer in (first, second):
            await decided(reviewer, sent, "approve")
        for people in (here, there):
            await answers(people, CORRECTED)
        found = await edited(first, sent, OTHER)
        assert (found["status"], found["confirmations"]) == ("pending", 1), "one has approved this text"
        assert (found["reviewer"], found["reviewed_at"]) == (None, None)
        assert await translated(here.stranger, SOURCE) == SOURCE.upper(), "memory answers what one person wrote"
        await answers(there, SOURCE.upper())
        assert (await decided(first, sent, "approve"))["status"] == "pending", "the same person counts once"
        assert (await decided(second, sent, "approve"))["status"] == "approved"
        for people in (here, there):
            await answers(people, OTHER)
        assert (await edited(first, sent, OTHER))["status"] == "approved", "the same text again changes nothing"


async def test_an_author_who_edits_does_not_confirm(url: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"corrections_confirmations": 2, "admin_key": None}
    async with people_of(app_on(url, tmp_path, **settings)) as people:
        owner = people.in_session(SESSION)  # without an administration key whoever sits here reviews
        first, second = await people.reviewer(), await people.reviewer()
        sent = await submitted(owner)
        for reviewer in (first, second):
            await decided(reviewer, sent, "approve")
        found = await edited(owner, sent, OTHER)
        assert (found["status"], found["confirmations"]) == ("pending", 0)
        await decided(first, sent, "approve")
        assert (await decided(second, sent, "approve"))["status"] == "approved"


async def test_where_one_is_enough_an_edit_answers_at_once(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path)) as people:
        reviewer = await people.reviewer()
        sent = await submitted(people.stranger)
        await decided(people.admin, sent, "approve")
        found = await edited(reviewer, sent, OTHER)
        assert (found["status"], found["confirmations"]) == ("approved", 1)
        assert found["reviewer"] == reviewer.headers["X-Test-Key-Id"]
        assert await translated(people.stranger, SOURCE) == OTHER


async def test_what_waits_again_has_no_reviewer(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, corrections_confirmations=2)) as people:
        first, second = await people.reviewer(), await people.reviewer()
        sent = await submitted(people.stranger)
        await decided(first, sent, "reject", reason="no")
        found = await decided(second, sent, "approve")
        assert (found["status"], found["confirmations"]) == ("pending", 1)
        assert (found["reviewer"], found["reviewed_at"]) == (None, None), "nobody has decided about it now"
