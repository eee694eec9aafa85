"""The page at `/review` in a real browser: the queue, decisions by key and by button, undo, rivals, files, numbers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from browsing import Open, fits
from fakes import FakeTranslator, make_app, serving
from playwright.sync_api import Locator, Page, expect
from stored import correction, store

from app.settings import Settings
from app.storage.db import Database
from app.storage.tables import APPROVED, PENDING, REJECTED, Correction

pytestmark = pytest.mark.browser

PATH = "/v1/corrections"
KEY = "0123456789abcdef"
FERRY = "Il traghetto parte alle sette e mezza."
HALF_PAST, DEPARTS = "The ferry leaves at half past seven.", "The ferry departs at half past seven."
HOSTILE = (
    "<img src=x onerror=alert(1)><script>alert(2)</script>", "\u202ecba \u05e9\u05dc\u05d5\u05dd \u2067<b>",
    "w" * 3000, "parola lunga " * 770, "${alert(1)} {n} __proto__",
)  # fmt: skip


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server without corrections, whose owner opens the page."""
    with serving(make_app(tmp_path, FakeTranslator(), FakeTranslator(pair="en-it"))) as one:
        yield one


@pytest.fixture
def page(opened: Open, address: str) -> Iterator[Page]:
    with opened(address, "/review") as one:
        yield one


def there(tmp_path: Path, *rows: Correction) -> list[str]:
    """Put rows into the database, the last one as the newest; their ids."""

    async def put() -> list[str]:
        database = Database(Settings(data_dir=tmp_path).database)
        try:
            return [str((await store(database, row))[0]) for row in rows]
        finally:
            await database.close()

    with ThreadPoolExecutor(1) as thread:  # this one has Playwright's event loop
        return thread.submit(lambda: asyncio.run(put())).result()


def sent(address: str, corrected: str = HALF_PAST, source_text: str = FERRY, **more: Any) -> str:
    """The id of a correction that somebody sends in."""
    body = {"source": "it", "target": "en", "source_text": source_text, "corrected_translation": corrected}
    answer = httpx.post(f"{address}{PATH}", json=body | {"machine_translation": "The ferry leaves at seven."} | more)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def status(address: str, id: str) -> str:
    return str(httpx.get(f"{address}{PATH}/{id}").json()["status"])


def item(page: Page, id: str) -> Locator:
    return page.locator(f"article[data-id='{id}']")


def reloaded(page: Page) -> None:
    page.reload()
    expect(page.locator("#queue")).to_have_attribute("aria-busy", "false")


def numbered(count: int, state: str = PENDING) -> list[Correction]:
    return [correction(f"Frase numero {n}.", f"Sentence number {n}.", state) for n in range(count)]


# --- what is shown -------------------------------------------------------------------------------------------------


def test_a_correction_is_shown_with_all_that_a_reviewer_needs(page: Page, address: str) -> None:
    id = sent(address, "The 9 ferries leave at half past seven.", model_version="fake-1")
    reloaded(page)
    one = item(page, id)
    expect(one.locator("del")).to_contain_text(["leaves"])
    expect(one.locator("ins")).to_contain_text(["9 ferries", "half past"])
    expect(one.locator(".marks li")).to_have_text(["Number not in the source: 9"])
    for told in ("waiting", "it → en", "model fake-1", "without a key", "now"):
        expect(one.locator(".bar").first).to_contain_text(told)
    expect(page.locator("#total")).to_have_text("1 correction")
    assert one.locator("p[lang=it]").inner_text() == FERRY


def test_what_comes_from_people_is_never_markup(opened: Open, address: str, tmp_path: Path) -> None:
    rows = [correction(text, f"{text} ", PENDING) for text in HOSTILE]
    for row, text in zip(rows, HOSTILE, strict=True):
        row.machine_translation, row.model_version, row.reason = text[::-1], text[:200], text[:1000]
        row.marks = [f"numbers: {text[:500]} is missing", text[:500]]
    ids = there(tmp_path, *rows)
    for width in (360, 1100):
        with opened(address, "/review?status=", width=width) as page:
            page.on("dialog", lambda _: pytest.fail("a text was run as a script"))
            for id, text in zip(ids, HOSTILE, strict=True):
                shown = item(page, id).locator("p[lang=it]")
                assert shown.evaluate("one => one.textContent") == text
                expect(item(page, id).locator("img, script, b")).to_have_count(0)
            assert fits(page)
            item(page, ids[3]).get_by_role("button", name="Edit").click()
            assert page.locator("textarea").input_value() == HOSTILE[3] + " "


def test_filters_narrow_and_stay_in_the_address(page: Page, address: str, tmp_path: Path) -> None:
    rows = (correction("Uno.", "One.", REJECTED), correction("Two.", "Due.", PENDING, pair="en-it"),
            correction("Tre gatti.", "Three cats.", PENDING))  # fmt: skip
    rows[2].marks = ["copy: the same as the source"]
    there(tmp_path, *rows)
    reloaded(page)
    sources = page.locator("article > p:first-of-type")
    expect(sources).to_have_text(["Tre gatti.", "Two."])
    page.get_by_label("Order").select_option("oldest")
    expect(sources).to_have_text(["Two.", "Tre gatti."])
    page.locator("#filters").get_by_label("Direction").select_option("en-it")
    expect(sources).to_have_text(["Two."])
    page.locator("#filters").get_by_label("Direction").select_option("")
    page.get_by_label("Checks").select_option("true")
    expect(sources).to_have_text(["Tre gatti."])
    page.get_by_label("Checks").select_option("")
    page.locator("#filters").get_by_label("Status").select_option("")
    expect(sources).to_have_count(3)
    page.get_by_label("Search").fill("GATTI")
    expect(sources).to_have_text(["Tre gatti."])
    assert "text=GATTI" in page.url and "status=" in page.url and "order=oldest" in page.url
    reloaded(page)
    expect(sources).to_have_text(["Tre gatti."])
    page.get_by_label("Search").fill("")
    page.get_by_label("Until").fill("2020-01-01")
    expect(page.locator("#total")).to_have_text("No corrections here.")
    page.get_by_label("Until").fill("")
    page.get_by_label("From").fill("2020-01-01")
    expect(sources).to_have_count(3)


def test_more_comes_page_by_page(page: Page, tmp_path: Path) -> None:
    there(tmp_path, *numbered(70))
    reloaded(page)
    expect(page.locator("article")).to_have_count(50)
    expect(page.locator("#total")).to_have_text("70 corrections")
    page.click("#more")
    expect(page.locator("article")).to_have_count(70)
    expect(page.locator("article").nth(50)).to_be_focused()
    expect(page.locator("#more")).to_be_hidden()


def test_what_comes_in_meanwhile_is_told_and_moves_nothing(page: Page, address: str, tmp_path: Path) -> None:
    there(tmp_path, *numbered(3))
    reloaded(page)
    page.keyboard.press("j")
    for n in range(3):
        sent(address, source_text=f"Il traghetto numero {n}.", corrected=f"The ferry number {n} leaves.")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#fresh")).to_have_text("3 new: show them")
    expect(page).to_have_title("(3) Review · Traghetto")
    expect(page.locator("article")).to_have_count(3)
    expect(page.locator("article").first).to_be_focused()
    page.click("#fresh")
    expect(page.locator("article")).to_have_count(6)
    expect(page.locator("article").first).to_contain_text("Il traghetto numero 2.")
    expect(page.locator("#fresh")).to_be_hidden()


# --- decisions -----------------------------------------------------------------------------------------------------


def test_all_by_keyboard(page: Page, address: str, tmp_path: Path) -> None:
    third, second, first = there(tmp_path, *numbered(3))
    reloaded(page)
    page.keyboard.press("j")
    expect(item(page, first)).to_be_focused()
    page.keyboard.press("a")
    expect(item(page, first).locator(".chip").first).to_have_text("approved")
    expect(item(page, second)).to_be_focused()
    expect(page.locator("#said")).to_contain_text("Approved")
    page.keyboard.press("r")
    page.keyboard.press("2")
    expect(item(page, second)).to_contain_text("Not how one says it")
    expect(item(page, third)).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(item(page, second)).to_be_focused()
    page.keyboard.press("u")
    expect(item(page, second).locator(".chip").first).to_have_text("waiting")
    page.keyboard.press("e")
    page.keyboard.type("jar? ")  # no shortcut is one while somebody types
    expect(page.locator("textarea")).to_have_value("Sentence number 1.jar? ")
    page.keyboard.press("Control+Enter")
    expect(item(page, second).locator("ins").last).to_contain_text("jar")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#chosen")).to_have_text("1 selected")
    page.keyboard.press("?")
    expect(page.locator("#help")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.get_by_label("Search")).to_be_focused()
    assert [status(address, id) for id in (first, second, third)] == ["approved", "pending", "pending"]


def test_shortcuts_can_be_switched_off(page: Page, tmp_path: Path) -> None:
    there(tmp_path, *numbered(1))
    reloaded(page)
    page.keyboard.press("?")
    page.get_by_label("Shortcuts are on").uncheck()
    page.keyboard.press("Escape")
    for _ in range(2):
        page.keyboard.press("j")
        expect(page.locator("article.current")).to_have_count(0)
        reloaded(page)


def test_all_by_buttons(page: Page, address: str, tmp_path: Path) -> None:
    second, first = there(tmp_path, *numbered(2))
    reloaded(page)
    item(page, first).get_by_role("button", name="Edit").click()
    page.locator("textarea").fill("A better sentence, number one.")
    page.get_by_role("button", name="Save and approve").click()
    expect(item(page, first).locator(".chip").first).to_have_text("approved")
    item(page, second).get_by_role("button", name="Reject").click()
    page.get_by_label("Another reason").fill("<b>No</b>")
    page.locator("#reject").get_by_role("button", name="Reject").click()
    expect(item(page, second)).to_contain_text("<b>No</b>")
    item(page, first).get_by_role("button", name="Undo").click()
    expect(item(page, first).locator(".chip").first).to_have_text("waiting")
    expect(item(page, first)).to_be_focused()
    page.keyboard.press("u")  # and then the edit
    expect(item(page, first)).to_contain_text("Sentence number 1.")
    page.keyboard.press("u")  # and then, since there is nothing of this one, the last of another
    expect(item(page, second).locator(".chip").first).to_have_text("waiting")
    page.keyboard.press("u")
    expect(page.locator("#said")).to_contain_text("There is nothing to undo.")
    assert [status(address, id) for id in (first, second)] == ["pending", "pending"]


def test_many_at_once_and_back_in_one_step(page: Page, address: str, tmp_path: Path) -> None:
    ids = there(tmp_path, *numbered(5))
    reloaded(page)
    page.get_by_label("Select all shown").check()
    expect(page.locator("#chosen")).to_have_text("5 selected")
    item(page, ids[0]).get_by_label("Select").uncheck()
    page.locator("#bulk").get_by_role("button", name="Approve").click()
    expect(page.locator("#said")).to_contain_text("4 approved")
    expect(page.locator("article[data-status=approved]")).to_have_count(4)
    expect(item(page, ids[0])).to_be_focused()
    expect(page.locator("#bulk")).to_be_hidden()
    page.keyboard.press("u")
    expect(page.locator("article[data-status=pending]")).to_have_count(5)
    page.get_by_label("Select all shown").check()
    page.get_by_role("button", name="Select none").click()
    expect(page.locator("#bulk")).to_be_hidden()
    expect(item(page, ids[0])).to_be_focused()
    assert {status(address, id) for id in ids} == {"pending"}
    page.get_by_label("Select all shown").check()
    httpx.delete(f"{address}{PATH}/{ids[2]}")
    page.locator("#bulk").get_by_role("button", name="Reject").click()
    page.keyboard.press("1")
    expect(page.locator("#said")).to_contain_text("4 rejected; 1 not done: see there")
    expect(item(page, ids[2]).get_by_role("alert")).to_have_text("It was deleted meanwhile.")
    expect(item(page, ids[2])).to_be_focused()


def test_of_two_for_one_sentence_one_is_approved(page: Page, address: str) -> None:
    older, newer = sent(address), sent(address, DEPARTS)
    reloaded(page)
    page.get_by_label("Select all shown").check()
    page.locator("#bulk").get_by_role("button", name="Approve").click()
    expect(page.locator("#said")).to_contain_text("Approved; 1 superseded by these")
    expect(item(page, older)).to_contain_text("Superseded by another")
    expect(item(page, newer).locator(".chip").first).to_have_text("approved")


def test_what_somebody_types_is_not_lost(page: Page, tmp_path: Path) -> None:
    _, first = there(tmp_path, *numbered(2))
    reloaded(page)
    item(page, first).get_by_role("button", name="Edit").click()
    page.locator("textarea").fill("Half a sentence")
    page.get_by_label("Order").select_option("oldest")
    expect(page.locator("article").last).to_have_attribute("data-id", first)
    expect(item(page, first).locator("textarea")).to_have_value("Half a sentence")
    item(page, first).get_by_role("button", name="Cancel").click()
    expect(item(page, first)).to_contain_text("Sentence number 1.")
    expect(item(page, first)).to_be_focused()


def test_one_of_several_for_a_sentence_is_picked(page: Page, address: str) -> None:
    before, other, third = sent(address), sent(address, DEPARTS), sent(address, "The ferry sails at half past seven.")
    httpx.post(f"{address}{PATH}/{before}/approve", json={})
    reloaded(page)
    one = item(page, third)
    one.get_by_role("button", name="2 others of this sentence").click()
    expect(one.locator(".rivals li")).to_have_count(2)
    expect(one.locator(".rivals li").first).to_contain_text("approved")
    expect(one.locator(".rivals li").last.locator("ins")).to_have_text("departs")
    one.locator(".rivals li").last.get_by_role("button", name="Approve this one").click()
    expect(item(page, other).locator(".chip").first).to_have_text("approved")
    expect(one.locator(".rivals li").first).to_contain_text("superseded")
    expect(one).to_be_focused()
    assert [status(address, id) for id in (before, other, third)] == ["superseded", "approved", "pending"]
    page.keyboard.press("u")
    expect(one.locator(".rivals li").first).to_contain_text("approved")
    assert [status(address, id) for id in (before, other, third)] == ["approved", "pending", "pending"]


# --- what goes wrong -----------------------------------------------------------------------------------------------


def test_what_fails_is_said_where_it_happened(page: Page, address: str, tmp_path: Path) -> None:
    fourth, third, second, first = there(tmp_path, *numbered(4))
    reloaded(page)
    httpx.delete(f"{address}{PATH}/{first}")
    item(page, first).get_by_role("button", name="Approve").click()
    expect(item(page, first).get_by_role("alert")).to_have_text("It was deleted meanwhile.")
    expect(item(page, first).get_by_role("button")).to_have_count(0)
    httpx.post(f"{address}{PATH}/{second}/reject", json={"reason": "no"})
    item(page, second).get_by_role("button", name="Edit").click()
    page.locator("textarea").fill("Another sentence.")
    page.get_by_role("button", name="Save", exact=False).first.click()
    expect(item(page, second).get_by_role("alert")).to_have_text("It was decided meanwhile. Reopen it first.")
    expect(page.locator("textarea")).to_have_value("Another sentence.")
    page.keyboard.press("Escape")
    item(page, third).get_by_role("button", name="Edit").click()
    page.locator("textarea").fill("")
    page.keyboard.press("Control+Enter")
    expect(item(page, third).get_by_role("alert")).to_have_text("is empty")
    page.keyboard.press("Escape")
    page.route(f"**/{fourth}/approve", lambda route: route.abort())
    item(page, fourth).get_by_role("button", name="Approve").click()
    expect(item(page, fourth).get_by_role("alert")).to_have_text("The server cannot be reached.")
    page.unroute(f"**/{fourth}/approve")
    page.keyboard.press("a")
    expect(item(page, fourth).locator(".chip").first).to_have_text("approved")
    page.route(f"**{PATH}?**", lambda route: route.abort())
    page.get_by_label("Order").select_option("oldest")
    expect(page.locator("#failed")).to_contain_text("The server cannot be reached.")
    page.unroute(f"**{PATH}?**")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#failed")).to_be_hidden()


def test_a_second_person_is_asked_for(opened: Open, tmp_path: Path) -> None:
    with serving(make_app(tmp_path, corrections_confirmations=2)) as address:
        (foreign,) = there(tmp_path, *numbered(1))
        own = sent(address)
        with opened(address, "/review") as page:
            item(page, own).get_by_role("button", name="Approve").click()
            expect(item(page, own).get_by_role("alert")).to_contain_text("A second person must approve it")
            item(page, foreign).get_by_role("button", name="Approve").click()
            expect(page.locator("#said")).to_contain_text("Confirmed: a second person must approve")
            expect(item(page, foreign)).to_contain_text("confirmed by 1")
            page.get_by_label("Select all shown").check()
            page.locator("#bulk").get_by_role("button", name="Approve").click()
            expect(page.locator("#said")).to_contain_text("Confirmed: a second person must approve; 1 not done")


def test_a_key_is_asked_for_where_one_is_needed(opened: Open, tmp_path: Path) -> None:
    with serving(make_app(tmp_path, admin_key=KEY)) as address:
        there(tmp_path, *numbered(1))
        with opened(address, "/review") as page:
            page.get_by_label("Key", exact=True).fill(KEY)
            page.keyboard.press("Enter")
            expect(page.locator("article")).to_have_count(1)
            page.keyboard.press("j")
            page.keyboard.press("a")
            expect(page.locator("article .chip").first).to_have_text("approved")


# --- files and numbers ---------------------------------------------------------------------------------------------


def test_files_come_in_and_go_out(page: Page, address: str, tmp_path: Path) -> None:
    record = {"source": "it", "target": "en", "source_text": FERRY, "corrected_translation": HALF_PAST}
    lines = [record, record | {"source_text": "Il treno parte."}, record | {"corrected_translation": ""}]
    file = tmp_path / "some.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)) + "\n{", encoding="utf-8")
    page.click("#files summary")
    page.locator("#import [type=file]").set_input_files(file)
    page.get_by_label("approve what is imported").check()
    page.locator("#import").get_by_role("button", name="Import").click()
    told = page.locator("#imported")
    expect(told).to_contain_text("some.jsonl: 2 imported, 2 of them approved; 0 there already; 2 refused.")
    expect(told.locator("li")).to_contain_text(["Line 3: corrected_translation: is empty", "Line 4: not valid JSON"])
    page.locator("#export").get_by_label("Direction").select_option("it-en")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the file").click()
    assert download.value.suggested_filename == "corrections-approved-it-en.tmx"
    kept = Path(download.value.path()).read_text(encoding="utf-8")
    assert kept.count("<tu ") == 2 and HALF_PAST in kept
    dropped = page.evaluate_handle(
        "text => { const data = new DataTransfer();"
        " for (const name of ['memory.TMX', 'broken.tmx'])"
        " data.items.add(new File([name.startsWith('m') ? text : 'none'], name)); return data; }",
        kept,
    )
    page.locator("#files").dispatch_event("drop", {"dataTransfer": dropped})
    expect(told).to_contain_text("memory.TMX: 0 imported, 0 of them approved; 2 there already; 0 refused.")
    expect(told.locator("li")).to_contain_text(["Line 1: not well-formed XML"])


def test_numbers_are_pictures_with_words(page: Page, tmp_path: Path) -> None:
    rows = [*numbered(3), *numbered(2, APPROVED)]
    rows[0].pair = "en-it"
    there(tmp_path, *rows)
    page.click("#numbers summary")
    pictures = page.locator("#numbers svg")
    expect(pictures.first).to_have_attribute("aria-label", "By status: 3 waiting, 2 approved, 0 rejected, 0 superseded")
    expect(pictures.last).to_have_attribute(
        "aria-label", "Approved ones: 0 learned by the model that serves, 2 only in memory"
    )
    expect(pictures.nth(1)).to_have_attribute("aria-label", "Last 30 days: 5 sent in, 0 approved, 0 rejected")
    for told in ("The oldest that waits came", "2 sentences answered from memory"):
        expect(page.locator("#numbers")).to_contain_text(told)
    page.locator("#filters").get_by_label("Direction").select_option("en-it")
    expect(pictures.first).to_have_attribute("aria-label", "By status: 1 waiting, 0 approved, 0 rejected, 0 superseded")


# --- for everybody -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("width", "scheme", "locale"), [(360, "dark", "it-IT"), (1100, "light", "en-GB")])
def test_nothing_is_in_anybodys_way(
    opened: Open, address: str, tmp_path: Path, accessible: Callable[[Page], None], width: int, scheme: str, locale: str
) -> None:
    rows = [*numbered(2), *numbered(1, APPROVED), *numbered(1, REJECTED)]
    rows[0].marks = ["copy: the same as the source"]
    there(tmp_path, *rows)
    sent(address), sent(address, DEPARTS)
    more: dict[str, Any] = {"width": width, "color_scheme": scheme, "locale": locale, "reduced_motion": "reduce"}
    with opened(address, "/review?status=", **more) as page:
        expect(page.locator("article")).to_have_count(6)
        page.click("#numbers summary")
        page.click("#files summary")
        expect(page.locator("#numbers svg")).to_have_count(3)
        for keys in ("jo", "x", "e"):
            for key in keys:
                page.keyboard.press(key)
            accessible(page)
            assert fits(page)
        page.keyboard.press("Escape")
        for key in "r?":
            page.keyboard.press(key)
            expect(page.locator("dialog[open]")).to_have_count(1)
            accessible(page)
            page.keyboard.press("Escape")


def test_every_word_is_there_in_italian(opened: Open, address: str) -> None:
    sent(address)
    with opened(address, "/review?ui=it") as page:
        expect(page.locator("article .chip").first).to_have_text("in attesa")
        expect(page.locator("#total")).to_have_text("1 correzione")
        item_text = page.locator("article").inner_text()
        assert "Approva" in item_text and "senza chiave" in item_text
