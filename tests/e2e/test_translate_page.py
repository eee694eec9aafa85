"""The page at `/` in a real browser, with translators that write in capitals: what one types, and what comes of it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from browsing import Open, fits
from fakes import FakeTranslator, body, make_app, serving
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

SENTENCE = "La ringrazio, ma sono già stato a Roma due volte."


@pytest.fixture(scope="module")
def translator() -> FakeTranslator:
    return FakeTranslator()


@pytest.fixture(scope="module")
def address(translator: FakeTranslator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    there_and_back = (translator, FakeTranslator(pair="en-it"))
    limits = {"max_chars": 200, "max_texts": 2, "max_request_chars": 300}
    with serving(make_app(tmp_path_factory.mktemp("page"), *there_and_back, **limits)) as one:
        yield one


@pytest.fixture
def page(opened: Open, address: str) -> Iterator[Page]:
    with opened(address) as one:
        yield one


def shows(page: Page, text: str) -> None:
    expect(page.locator("#translation")).to_have_text(text)


def test_typing_translates_and_tells_language_model_and_time(page: Page) -> None:
    page.locator("#text").press_sequentially("ciao gatto", delay=20)
    shows(page, "CIAO GATTO")
    for fact in ("from Italian", "model fake-1", " ms"):
        expect(page.locator("#about")).to_contain_text(fact)
    expect(page.locator("#error")).to_be_hidden()
    assert page.locator("#translation").get_attribute("lang") == "en"


def test_what_stands_between_sentences_is_shown_as_it_is(page: Page) -> None:
    page.fill("#text", f"{SENTENCE}\n\n  Ciao 😀 a tutti.")
    shows(page, f"{SENTENCE}\n\n  Ciao 😀 a tutti.".upper())


def test_a_newer_text_replaces_the_answer_that_is_on_its_way(page: Page, translator: FakeTranslator) -> None:
    translator.gate.clear()
    translator.entered.clear()
    page.fill("#text", "vecchio")
    assert translator.entered.wait(5)
    page.fill("#text", "nuovo")
    page.press("#text", "Control+Enter")
    translator.gate.set()
    shows(page, "NUOVO")


def test_what_is_typed_is_never_markup(page: Page) -> None:
    page.fill("#text", "<img src=x onerror=alert(1)> <b>ciao</b>")
    expect(page.locator("#translation")).to_contain_text("ONERROR=ALERT(1)", ignore_case=True)
    assert page.locator("main img").count() == page.locator("#translation b").count() == 0


def test_too_much_is_said_before_it_is_sent(page: Page) -> None:
    page.fill("#text", "x" * 201)
    expect(page.locator("#count")).to_have_text("201 / 200")
    expect(page.locator("#error")).to_contain_text("201 of 200 characters")
    shows(page, "")
    page.fill("#text", "ciao")
    shows(page, "CIAO")
    expect(page.locator("#error")).to_be_hidden()


def test_a_third_language_is_named(page: Page) -> None:
    page.fill("#text", "¿Dónde está la estación?")
    expect(page.locator("#notes")).to_have_text("This looks like Spanish, not Italian or English: it is left as it is.")
    expect(page.locator("#correct")).to_be_disabled()


def test_a_server_that_is_away_is_said(page: Page) -> None:
    page.route("**/v1/translate", lambda route: route.abort())
    page.fill("#text", "ciao")
    expect(page.locator("#error")).to_have_text("The server cannot be reached.")


def test_a_direction_without_a_model_is_said(opened: Open, tmp_path: Path) -> None:
    with serving(make_app(tmp_path)) as address:
        assert httpx.post(f"{address}/v1/translate", json=body("Ciao.")).status_code == 200
        with opened(address) as page:
            expect(page.locator("#swap")).to_be_disabled()
            expect(page.locator("#swap")).to_have_attribute("title", "This server has no model from English to Italian")
            page.select_option("#source", "en")
            expect(page.locator("#target")).to_have_value("it")
            page.fill("#text", "hello")
            expect(page.locator("#error")).to_contain_text("no model for en-it")


def test_a_text_in_the_language_that_was_wanted_turns_the_page_round(page: Page) -> None:
    page.fill("#text", "the cat")
    shows(page, "THE CAT")
    expect(page.locator("#target")).to_have_value("it")
    expect(page.locator("#about")).to_contain_text("from English")
    page.fill("#text", "il gatto")
    shows(page, "IL GATTO")
    expect(page.locator("#target")).to_have_value("en")


def test_html_in_plain_text_is_pointed_out(page: Page) -> None:
    page.fill("#text", "un <b>gatto</b>")
    expect(page.locator("#notes")).to_contain_text("This looks like HTML")
    page.select_option("#format", "html")
    expect(page.locator("#notes")).to_be_empty()
    expect(page.locator("#correct")).to_have_attribute("title", "Corrections are of plain text.")


def test_it_goes_on_when_the_server_is_there_again(page: Page) -> None:
    page.context.set_offline(True)
    page.fill("#text", "ciao")
    expect(page.locator("#error")).to_have_text("The server cannot be reached.")
    page.context.set_offline(False)
    shows(page, "CIAO")
    expect(page.locator("#error")).to_be_hidden()


def test_where_a_page_may_not_copy_the_person_can(opened: Open, address: str) -> None:
    with opened(address) as page:
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.fill("#text", "ciao")
        shows(page, "CIAO")
        page.click("#link")
        expect(page.locator("#copy-text")).to_have_value(f"{address}/?q=ciao&source=auto&target=en")
        expect(page.locator("#copy-text")).to_be_focused()


def test_swap_turns_the_direction_and_takes_the_translation(page: Page) -> None:
    page.select_option("#source", "it")
    page.fill("#text", "ciao")
    shows(page, "CIAO")
    page.click("#swap")
    for name, value in (("source", "en"), ("target", "it"), ("text", "CIAO")):
        expect(page.locator(f"#{name}")).to_have_value(value)


def test_copy_and_link_copy(page: Page, address: str, opened: Open) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    page.select_option("#source", "it")
    page.fill("#text", "ciao & addio?")
    shows(page, "CIAO & ADDIO?")
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "CIAO & ADDIO?"
    page.click("#link")
    expect(page.locator("#link")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    with opened(address, link.removeprefix(address)) as other:
        shows(other, "CIAO & ADDIO?")
        expect(other.locator("#source")).to_have_value("it")


def test_a_link_says_text_and_languages(opened: Open, address: str) -> None:
    with opened(address, f"/?q={quote('the cat')}&source=en&target=it") as page:
        shows(page, "THE CAT")
        expect(page.locator("#target")).to_have_value("it")
    with opened(address, "/?q=ciao&source=xx&target=%3Cscript%3E") as page:
        shows(page, "CIAO")


def test_clear_clears_and_examples_help_to_begin(page: Page) -> None:
    expect(page.locator("#examples")).to_be_visible()
    page.click("#examples button >> nth=0")
    expect(page.locator("#translation")).not_to_have_text("")
    expect(page.locator("#examples")).to_be_hidden()
    page.click("#clear")
    shows(page, "")
    expect(page.locator("#copy")).to_be_disabled()
    expect(page.locator("#text")).to_be_focused()


def test_the_page_speaks_two_languages_and_keeps_what_was_typed(page: Page) -> None:
    page.fill("#text", "ciao")
    shows(page, "CIAO")
    page.click("#ui")
    expect(page.locator("html")).to_have_attribute("lang", "it")
    expect(page.locator("#copy")).to_have_text("Copia")
    shows(page, "CIAO")
    page.goto(page.url.partition("?")[0])
    expect(page.locator("#copy")).to_have_text("Copia")


def test_it_speaks_the_language_of_the_browser(opened: Open, address: str) -> None:
    with opened(address, locale="it-IT") as page:
        expect(page.locator("h1")).to_have_text("Traduci tra italiano e inglese")
    with opened(address, locale="de-DE") as page:
        expect(page.locator("h1")).to_have_text("Translate between Italian and English")


def test_markup_is_translated_as_such(page: Page) -> None:
    page.select_option("#format", "html")
    page.fill("#text", "<p>Il <b>gatto</b></p>")
    expect(page.locator("#translation")).to_contain_text("<p>")
    expect(page.locator("#snippet")).to_contain_text('"format":"html"')


@pytest.mark.parametrize(
    ("tab", "part"), [("curl", "curl -s http://"), ("python", "requests.post("), ("javascript", "await fetch(")]
)
def test_the_request_can_be_taken_along(page: Page, tab: str, part: str) -> None:
    page.fill("#text", "C'è un gatto.")
    page.click("#program summary")
    page.click(f"[data-snippet={tab}]")
    expect(page.locator("#snippet")).to_contain_text(part)
    expect(page.locator("#snippet")).to_contain_text("gatto")


def test_the_curl_line_works(page: Page) -> None:
    import subprocess

    page.fill("#text", 'C\'è "un" gatto.')
    expect(page.locator("#snippet")).to_contain_text("gatto")
    line = page.locator("#snippet").text_content() or ""
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=20, check=True)
    assert "UN" in done.stdout and "GATTO" in done.stdout


def test_history_stays_in_the_browser_and_goes_on_request(page: Page) -> None:
    page.fill("#text", "un gatto")
    shows(page, "UN GATTO")
    page.click("#past summary")
    expect(page.locator("#history")).to_contain_text("un gatto → UN GATTO")
    page.click("#clear")
    page.click("#history button")
    shows(page, "UN GATTO")
    page.click("#history-clear")
    expect(page.locator("#history")).to_have_text("Nothing yet.")
    page.uncheck("#history-keep")
    page.fill("#text", "un cane")
    shows(page, "UN CANE")
    page.wait_for_timeout(2300)
    assert page.evaluate("localStorage.getItem('traghetto.history')") is None


def test_a_short_file_is_put_into_the_field(page: Page) -> None:
    page.set_input_files("#file", {"name": "a.md", "mimeType": "text/plain", "buffer": "però".encode("windows-1252")})
    shows(page, "PERÒ")
    expect(page.locator("#format")).to_have_value("markdown")


def test_a_long_file_is_translated_piece_by_piece_and_saved(page: Page) -> None:
    text = "\n".join(f"riga {number}" for number in range(200)) + "\n"
    page.set_input_files("#file", {"name": "lungo.txt", "mimeType": "text/plain", "buffer": text.encode()})
    expect(page.locator("#document-state")).to_have_text("Done: 1,690 characters.")
    with page.expect_download() as saved:
        page.click("#document-save")
    assert saved.value.suggested_filename == "lungo.en.txt"
    assert Path(saved.value.path()).read_text(encoding="utf-8") == text.upper()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [("a.txt", b"\0\1\2", "is not a text file"), ("a.html", b"<p>" + b"x" * 300, "has more than 200 characters")],
)
def test_a_file_that_cannot_be_taken_is_said(page: Page, name: str, content: bytes, told: str) -> None:
    page.set_input_files("#file", {"name": name, "mimeType": "text/plain", "buffer": content})
    expect(page.locator("#error")).to_contain_text(f"{name} {told}")


def test_what_was_translated_of_a_file_is_not_lost(page: Page) -> None:
    asked = []

    def fail_later(route) -> None:
        asked.append(route.request.post_data_json)
        if len(asked) < 3:
            page.evaluate("document.getElementById('source').value = 'en'")  # the file keeps what it began with
            route.continue_()
        else:
            route.fulfill(
                status=503, json={"type": "/problems/shutting-down", "detail": "The server is shutting down."}
            )

    page.select_option("#source", "it")
    page.route("**/v1/translate", fail_later)
    text = "\n".join(f"riga {number}" for number in range(200)) + "\n"
    page.set_input_files("#file", {"name": "lungo.txt", "mimeType": "text/plain", "buffer": text.encode()})
    expect(page.locator("#document-state")).to_contain_text("The server is shutting down.")
    assert {body["source"] for body in asked} == {"it"}
    with page.expect_download() as saved:
        page.click("#document-save")
    kept = Path(saved.value.path()).read_text(encoding="utf-8")
    assert kept and text.upper().startswith(kept)


def test_a_dropped_file_is_taken(page: Page) -> None:
    page.evaluate("""() => {
        const carried = new DataTransfer();
        carried.items.add(new File(["ciao"], "ciao.txt", { type: "text/plain" }));
        document.getElementById("left").dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true }));
    }""")
    shows(page, "CIAO")


def test_everything_can_be_reached_by_keyboard_in_a_sensible_order(page: Page) -> None:
    page.fill("#text", "ciao")
    shows(page, "CIAO")
    page.locator("#source").focus()
    reached = []
    for _ in range(11):
        reached.append(page.evaluate("document.activeElement.id"))
        page.keyboard.press("Tab")
    wanted = ["source", "swap", "target", "format", "text", "open", "clear", "translation", "correct", "link", "copy"]
    assert reached == wanted


@pytest.mark.parametrize(("scheme", "language"), [("light", "en-GB"), ("dark", "it-IT")])
@pytest.mark.parametrize("width", [360, 768, 1400])
def test_it_fits_every_screen_and_everybody(
    opened: Open,
    accessible: Callable[[Page], None],
    address: str,
    width: int,
    scheme: str,
    language: str,
    tmp_path: Path,
) -> None:
    folder = Path(os.environ.get("TRAGHETTO_TEST_SCREENSHOTS", tmp_path))
    with opened(address, width=width, color_scheme=scheme, locale=language) as page:
        page.fill("#text", f"{SENTENCE} Forse.")
        shows(page, f"{SENTENCE} Forse.".upper())
        page.click("#correct")
        for summary in page.locator("summary").all():
            summary.click()
        page.screenshot(path=str(folder / f"translate-{scheme}-{width}-{language}.png"))
        accessible(page)
        assert fits(page), "the page scrolls sideways"


def test_the_api_description_opens(opened: Open, address: str) -> None:
    with opened(address, "/docs") as page:
        expect(page.locator("#operations-translation-translate_v1_translate_post")).to_be_visible(timeout=15_000)
