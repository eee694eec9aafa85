"""The life of a correction through HTTP, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import httpx
from corrections_kit import (
    ADMIN_KEY,
    CORRECTED,
    PATH,
    SOURCE,
    People,
    app_on,
    decided,
    draft,
    people_of,
    state,
    submitted,
    translated,
)
from fakes import problem
from sqlalchemy import select

from app.http.schemas.corrections import EXAMPLE_CORRECTION, EXAMPLE_SUBMIT, CorrectionOut, SubmitBody, SubmittedOut
from app.storage.tables import CURRENT, RETIRED, Correction, ModelVersion, RetrainingRun, TrainedCorrection

OTHER = "The ferry departs at half past seven."
SESSION = "a session of our own making"


async def stored(people: People, *rows: Any) -> None:
    async with people.app.state.services.database.writing() as session:
        for row in rows:
            session.add(row)
            await session.flush()


async def test_from_the_form_to_memory(people: People) -> None:
    sent = await submitted(people.stranger, model_version="fake-1")
    assert (sent["status"], sent["state"], sent["trained_in"]) == ("pending", "pending", [])
    assert sent["corrected_translation"] == CORRECTED
    assert await translated(people.stranger, SOURCE) == SOURCE.upper(), "nobody has approved it yet"
    reviewer = await people.reviewer()
    approved = await decided(reviewer, sent, "approve")
    assert (approved["status"], approved["state"], approved["confirmations"]) == ("approved", "in memory", 1)
    assert approved["reviewer"] == reviewer.headers["X-Test-Key-Id"]
    assert await translated(people.stranger, SOURCE) == CORRECTED, "it must answer at once"
    assert await state(people.stranger, sent) == "in memory"
    rejected = await decided(reviewer, sent, "reject", reason=" Not so. ")
    assert (rejected["status"], rejected["state"]) == ("rejected", "rejected: Not so.")
    assert await translated(people.stranger, SOURCE) == SOURCE.upper(), "memory must have forgotten it"
    assert (await decided(reviewer, sent, "approve"))["state"] == "in memory", "a decision can be taken back"


async def test_what_others_see(people: People) -> None:
    """Whoever knows the id reads the state, the author also the texts, a reviewer all of it."""
    author, reviewer = people.in_session(SESSION), await people.reviewer()
    sent = await submitted(author, "There are 9 ferries, and they leave at half past seven.")
    path = f"{PATH}/{sent['id']}"
    seen = {name: (await client.get(path)).json() for name, client in (
        ("stranger", people.stranger), ("another", people.in_session(SESSION + "!")), ("author", author),
        ("reviewer", reviewer), ("admin", people.admin))}  # fmt: skip
    assert seen["stranger"] == seen["another"]
    assert set(seen["stranger"]) == set(EXAMPLE_CORRECTION)
    texts = {"source_text", "machine_translation", "corrected_translation", "model_version"}
    assert set(seen["author"]) - set(seen["stranger"]) == texts
    assert set(seen["reviewer"]) - set(seen["author"]) == {
        "marks", "author_key", "confirmed_by", "reviewer", "reviewed_at",
    }  # fmt: skip
    assert seen["reviewer"]["marks"] == ["numbers: 9 is not in the source"]
    assert seen["reviewer"] == seen["admin"]


async def test_the_newest_approved_wins(people: People) -> None:
    first, same = await submitted(people.stranger), await submitted(people.stranger)
    other = await submitted(people.stranger, OTHER, source_text=SOURCE.lower().rstrip("."))
    elsewhere = await submitted(people.stranger, OTHER, source_text="Quel traghetto parte alle sette e mezza.")
    await decided(people.admin, first, "approve")
    assert await state(people.stranger, same) == f"superseded by {first['id']}", "the very same text is settled, too"
    assert (await people.admin.get(f"{PATH}/{same['id']}")).json()["reason"] == f"the same as {first['id']}"
    assert [await state(people.stranger, one) for one in (other, elsewhere)] == ["pending", "pending"]
    await decided(people.admin, other, "approve")
    assert await state(people.stranger, first) == f"superseded by {other['id']}"
    assert (await translated(people.stranger, SOURCE)).rstrip(".") == OTHER.rstrip(".")
    await decided(people.admin, other, "reject", reason="worse")
    assert await state(people.stranger, first) == f"superseded by {other['id']}", "nothing comes back by itself"
    assert await translated(people.stranger, SOURCE) == SOURCE.upper()
    await decided(people.admin, first, "approve")
    assert await state(people.stranger, first) == "in memory"


async def test_contradictions_and_duplicates_are_marked(people: People) -> None:
    first = await submitted(people.admin)
    assert (await submitted(people.admin))["marks"] == [f"duplicate: {first['id']}"]
    assert (await submitted(people.admin, OTHER))["marks"] == []
    await decided(people.admin, first, "approve")
    assert (await submitted(people.admin, OTHER + " Now!"))["marks"] == [f"contradicts: {first['id']}"]
    assert (
        await submitted(people.admin, source="en", target="it", source_text=CORRECTED, corrected_translation=SOURCE)
    )["marks"] == [], "the other direction is another sentence"


async def test_a_reviewer_edits(people: People) -> None:
    author, reviewer = people.in_session(SESSION), await people.reviewer()
    sent = await submitted(author, "The ferry leaves at 7:30.")
    path = f"{PATH}/{sent['id']}"
    edited = await reviewer.patch(path, json={"corrected_translation": OTHER})
    assert edited.status_code == 200, edited.text
    assert (edited.json()["status"], edited.json()["corrected_translation"], edited.json()["marks"]) == (
        "pending",
        OTHER,
        [],
    )
    await decided(reviewer, sent, "approve")
    edited = await reviewer.patch(path, json={"corrected_translation": CORRECTED})
    assert (edited.json()["status"], edited.json()["state"]) == ("approved", "in memory")
    assert await translated(people.stranger, SOURCE) == CORRECTED
    for wrong in (SOURCE, "", "Il traghetto parte alle otto e mezza di sera.", "\0"):
        problem(await reviewer.patch(path, json={"corrected_translation": wrong}), 422, "invalid-request")
    await decided(reviewer, sent, "reject", reason="no")
    problem(await reviewer.patch(path, json={"corrected_translation": OTHER}), 409, "conflict")
    problem(await reviewer.patch(f"{PATH}/{uuid.uuid4()}", json={"corrected_translation": OTHER}), 404, "not-found")
    problem(await author.patch(path, json={"corrected_translation": OTHER}), 401, "not-authorised")


async def test_who_may_delete(people: People) -> None:
    author, other, reviewer = await people.author(), await people.author(), await people.reviewer()
    in_session, own = people.in_session(SESSION), await submitted(people.stranger)
    again = people.in_session(own["session"])
    for maker, strangers in (
        (author, (other, people.stranger, in_session)),
        (in_session, (author, people.stranger, again)),
        (again, (author, people.stranger, in_session)),
    ):
        sent = own if maker is again else await submitted(maker)
        path = f"{PATH}/{sent['id']}"
        for stranger in strangers:
            refused = problem(await stranger.delete(path), 404, "not-found")
            unknown = problem(await stranger.delete(f"{PATH}/{uuid.UUID(int=1)}"), 404, "not-found")
            assert refused["detail"] == unknown["detail"].replace(str(uuid.UUID(int=1)), sent["id"])
        assert (await maker.delete(path)).status_code == 204
        problem(await maker.get(path), 404, "not-found")
        problem(await maker.delete(path), 404, "not-found")
    for owner in (reviewer, people.admin):
        sent = await submitted(author)
        assert (await owner.delete(f"{PATH}/{sent['id']}")).status_code == 204


async def test_what_is_deleted_is_gone_everywhere(people: People) -> None:
    author = people.in_session(SESSION)
    sent, kept = await submitted(author), await submitted(author, source_text="Il treno parte alle sette e mezza.")
    await decided(people.admin, sent, "approve")
    sentence = {"id": sent["id"], "source": SOURCE}
    report = {"changed": {"better": [sentence, {"id": kept["id"]}], "worse": [[sentence]]}, "scores": {"bleu": 1.5}}
    await stored(
        people,
        ModelVersion(pair="it-en", version="v2", status=CURRENT),
        TrainedCorrection(correction_id=uuid.UUID(sent["id"]), pair="it-en", version="v2"),
        RetrainingRun(pair="it-en", parent="v1", candidate="v2", report=report),
        RetrainingRun(pair="it-en", parent="v2", candidate="v3"),
    )
    assert (await author.delete(f"{PATH}/{sent['id']}")).status_code == 204
    assert await translated(people.stranger, SOURCE) == SOURCE.upper()
    async with people.app.state.services.database.reading() as session:
        assert (await session.scalars(select(TrainedCorrection))).all() == []
        reports = (await session.scalars(select(RetrainingRun.report).order_by(RetrainingRun.candidate))).all()
        assert [str(row.id) for row in await session.scalars(select(Correction))] == [kept["id"]]
    assert reports == [{"changed": {"better": [{"id": kept["id"]}], "worse": [[]]}, "scores": {"bleu": 1.5}}, None]


async def test_trained_is_told_with_the_version_that_serves(people: People) -> None:
    sent = await submitted(people.stranger)
    await decided(people.admin, sent, "approve")
    correction_id = uuid.UUID(sent["id"])

    async def link(version: str, status: str, parent: str | None) -> None:
        await stored(
            people,
            ModelVersion(pair="it-en", version=version, status=status, parent=parent),
            TrainedCorrection(correction_id=correction_id, pair="it-en", version=version),
        )

    await link("v0", "candidate", None)
    assert await state(people.stranger, sent) == "in memory", "a candidate serves nobody"
    await link("v1", RETIRED, "v0")
    assert await state(people.stranger, sent) == "trained in v1"
    await stored(people, ModelVersion(pair="it-en", version="v2", status=CURRENT, parent="v1"))
    await link("v3", RETIRED, "v2")
    found = (await people.stranger.get(f"{PATH}/{sent['id']}")).json()
    assert (found["state"], found["trained_in"]) == ("trained in v1", ["v1", "v3"]), (
        "v3 was rolled back, v2 learned from v1"
    )
    edited = await people.admin.patch(f"{PATH}/{sent['id']}", json={"corrected_translation": OTHER})
    assert edited.json()["state"] == "in memory", "no version has seen the new text"


async def test_a_trusted_client_is_approved_at_once_unless_something_is_odd(people: People) -> None:
    trusted = await people.author(trusted=True)
    sent = await submitted(trusted)
    assert (sent["status"], sent["confirmations"]) == ("approved", 1)
    assert await translated(people.stranger, SOURCE) == CORRECTED
    for odd in (OTHER + " Now!", "The 9 ferries leave at half past seven."):
        assert (await submitted(trusted, odd))["status"] == "pending"


async def test_two_people_must_approve_where_the_settings_say_so(url: str, tmp_path: Path) -> None:
    async with people_of(app_on(url, tmp_path, corrections_confirmations=2)) as people:
        first, second = await people.reviewer(), await people.reviewer()
        author = await people.author(trusted=True)
        sent = await submitted(people.stranger)
        for _ in range(2):
            found = await decided(first, sent, "approve")
            assert (found["status"], found["confirmations"]) == ("pending", 1), "the same person counts once"
        assert await translated(people.stranger, SOURCE) == SOURCE.upper()
        found = await decided(second, sent, "approve")
        assert (found["status"], found["confirmations"]) == ("approved", 2)
        trusted = await submitted(author, source_text="Il treno parte alle sette e mezza.")
        assert (trusted["status"], trusted["confirmations"]) == ("pending", 1)
        assert (await decided(first, trusted, "approve"))["status"] == "approved"
        await decided(first, sent, "reject", reason="no")
        assert (await decided(first, sent, "approve"))["status"] == "pending", "what was rejected needs both again"
        edited = await second.patch(f"{PATH}/{sent['id']}", json={"corrected_translation": OTHER})
        assert edited.json()["confirmations"] == 0, "nobody has approved this text"


async def test_an_author_does_not_confirm_himself(url: str, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"corrections_confirmations": 2, "admin_key": None}
    async with people_of(app_on(url, tmp_path, **settings)) as people:
        owner = people.in_session(SESSION)  # without an administration key whoever sits here reviews
        sent = await submitted(owner)
        problem(await owner.post(f"{PATH}/{sent['id']}/approve"), 403, "forbidden")
        (outcome,) = (await owner.post(f"{PATH}/bulk", json={"action": "approve", "ids": [sent["id"]]})).json()[
            "outcomes"
        ]
        assert outcome["status"] == "pending" and "author" in outcome["problem"]


async def test_bodies_are_read_strictly(people: People) -> None:
    async def refused(content: bytes | dict[str, Any], status: int, slug: str) -> dict[str, Any]:
        sent = {"json": content} if isinstance(content, dict) else {"content": content}
        headers = {"Content-Type": "application/json"}
        return problem(await people.stranger.post(PATH, headers=headers, **sent), status, slug)

    for raw in (b"", b"{", b"[]", b'{"source": NaN}', b'{"source_text": "\\ud83d"}', b"\xff\xfe", b"a" * 2_000_000):
        await refused(
            raw, 413 if len(raw) > 1_048_576 else 400, "body-too-large" if len(raw) > 99 else "malformed-json"
        )
    fields = {
        error["field"]: error["message"] for error in (await refused({"text": 1}, 422, "invalid-request"))["errors"]
    }
    assert fields["text"] == "is not a known field"
    assert fields["corrected_translation"] == "is required"
    for field, value in (
        ("source", "fr"), ("target", "it"), ("source_text", 7), ("source_text", "\0"), ("model_version", "x" * 201),
        ("model_version", "a\0"), ("corrected_translation", "a" * 10_001),
    ):  # fmt: skip
        found = await refused(draft() | {field: value}, 422, "invalid-request")
        assert field in {error["field"] for error in found["errors"]}, field
    async with people.app.state.services.database.reading() as session:
        assert (await session.scalars(select(Correction))).all() == [], "what is refused is not stored"


async def test_reasons_and_ids_are_checked(people: People) -> None:
    sent = await submitted(people.stranger)
    for reason in ("", "  ", "\0", "x" * 1001):
        answer = await people.admin.post(f"{PATH}/{sent['id']}/reject", json={"reason": reason})
        assert problem(answer, 422, "invalid-request")["errors"][0]["field"] == "reason"
    for unknown in (uuid.uuid4(), "x", "%00", "a" * 5000, "%F0%9F%90%88"):
        assert (await people.admin.get(f"{PATH}/{unknown}")).status_code == 404
        assert (await people.admin.post(f"{PATH}/{unknown}/approve")).status_code == 404


async def test_only_reviewers_review(people: People) -> None:
    author = await people.author()
    sent = await submitted(author)
    for path, method in (("", "GET"), ("/statistics", "GET"), ("/bulk", "POST"), (f"/{sent['id']}/approve", "POST"),
                         (f"/{sent['id']}/reject", "POST"), (f"/{sent['id']}", "PATCH")):  # fmt: skip
        problem(await author.request(method, PATH + path), 403, "forbidden")
        problem(await people.stranger.request(method, PATH + path), 401, "not-authorised")
    problem(await (await people.reviewer()).post(PATH, json=draft()), 403, "forbidden")
    assert await state(author, sent) == "pending"


async def test_metrics_count_outcomes(people: People) -> None:
    sent = await submitted(people.stranger)
    await people.stranger.post(PATH, json=draft(SOURCE))
    await decided(people.admin, sent, "approve")
    await decided(people.admin, sent, "reject", reason="no")
    text = (await people.stranger.get("/metrics")).text
    for outcome in ("submitted", "refused", "approved", "rejected"):
        assert f'traghetto_corrections_total{{outcome="{outcome}",pair="it-en"}} 1.0' in text


async def test_the_description_fits_what_is_answered(people: People) -> None:
    api = (await people.stranger.get("/openapi.json")).json()
    operation = api["paths"][PATH]["post"]
    told = {"200", "201", "400", "401", "403", "408", "413", "415", "422", "429", "431", "503"}
    assert set(operation["responses"]) == told
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    assert list(schema["properties"]) == [*EXAMPLE_SUBMIT]
    assert [one["name"] for one in operation["parameters"]] == ["Idempotency-Key", "X-Traghetto-Session"]
    SubmitBody.model_validate(EXAMPLE_SUBMIT)
    CorrectionOut.model_validate(EXAMPLE_CORRECTION)
    answer: httpx.Response = await people.stranger.post(PATH, json=EXAMPLE_SUBMIT)
    shown = SubmittedOut.model_validate_json(answer.content).model_dump(exclude_unset=True, mode="json")
    assert shown == answer.json(), "an answer must hold nothing that the description does not know"
    assert ADMIN_KEY not in answer.text
