"""The page at `/` in a real browser: it translates, says what is wrong, and loads nothing from elsewhere."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fakes import FakeTranslator, body, make_app, serving
from playwright.sync_api import Browser, Page, expect, sync_playwright

pytestmark = pytest.mark.browser

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SENTENCE = "La ringrazio, ma sono già stato a Roma due volte."


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield one
        one.close()


@pytest.fixture(scope="module")
def translator() -> FakeTranslator:
    return FakeTranslator()


@pytest.fixture(scope="module")
def address(translator: FakeTranslator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    there_and_back = (translator, FakeTranslator(pair="en-it"))
    with serving(make_app(tmp_path_factory.mktemp("page"), *there_and_back, max_chars=200)) as one:
        yield one


@contextlib.contextmanager
def opened(browser: Browser, address: str) -> Iterator[Page]:
    """The page, opened; anything that it loads from elsewhere or complains about fails the test."""
    context = browser.new_context(viewport={"width": 1100, "height": 640})
    one = context.new_page()
    complaints: list[str] = []
    one.on("pageerror", lambda error: complaints.append(str(error)))
    one.on("console", lambda message: complaints.append(message.text) if "Content Security" in message.text else None)
    one.on("request", lambda request: complaints.append(request.url) if not request.url.startswith(address) else None)
    one.set_default_timeout(10_000)
    one.goto(address)
    yield one
    context.close()
    assert complaints == []


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    with opened(browser, address) as one:
        yield one


@pytest.fixture
def one_way(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page of a server that translates from Italian only, once its model is there."""
    with serving(make_app(tmp_path)) as address:
        assert httpx.post(f"{address}/v1/translate", json=body("Ciao.")).status_code == 200
        with opened(browser, address) as one:
            yield one


def test_ctrl_enter_translates_and_tells_the_model_and_the_time(page: Page) -> None:
    page.fill("#text", f"{SENTENCE}\nCiao.")
    page.press("#text", "Control+Enter")
    expect(page.locator("#translation")).to_have_text(f"{SENTENCE}\nCiao.".upper())
    expect(page.locator("#about")).to_contain_text("from Italian · model fake-1")
    expect(page.locator("#about")).to_contain_text("\u00a0ms")
    expect(page.locator("#error")).to_be_hidden()
    assert page.locator("#translation").get_attribute("lang") == "en"


def test_a_pause_in_typing_translates(page: Page) -> None:
    page.locator("#text").press_sequentially("ciao", delay=20)
    expect(page.locator("#translation")).to_have_text("CIAO")


def test_what_is_typed_is_never_html(page: Page) -> None:
    page.fill("#text", "<img src=x onerror=alert(1)> <b>")
    page.click("#translate")
    expect(page.locator("#translation")).to_have_text("<IMG SRC=X ONERROR=ALERT(1)> <B>")
    assert page.locator("#translation img").count() == 0


def test_errors_are_said_and_go_away(page: Page) -> None:
    page.fill("#text", "x" * 201)
    expect(page.locator("#count")).to_have_text("201 / 200")
    page.click("#translate")
    expect(page.locator("#error")).to_have_text("The text has 201 characters; at most 200 are allowed.")
    expect(page.locator("#translation")).to_have_text("")
    page.fill("#text", "ciao")
    page.click("#translate")
    expect(page.locator("#translation")).to_have_text("CIAO")
    expect(page.locator("#error")).to_be_hidden()


def test_a_direction_without_a_model_is_said(one_way: Page) -> None:
    one_way.select_option("#source", "en")
    expect(one_way.locator("#target")).to_have_value("it")
    one_way.fill("#text", "hello")
    one_way.click("#translate")
    expect(one_way.locator("#error")).to_contain_text("no model for en-it")


def test_no_swap_to_a_direction_without_a_model(one_way: Page) -> None:
    expect(one_way.locator("#swap")).to_be_disabled()
    expect(one_way.locator("#swap")).to_have_attribute("title", "This server has no model from English to Italian")
    one_way.select_option("#source", "en")
    expect(one_way.locator("#swap")).to_be_enabled()
    one_way.click("#swap")
    expect(one_way.locator("#target")).to_have_value("en")
    expect(one_way.locator("#swap")).to_be_disabled()


def test_swap_turns_the_direction_and_takes_the_translation(page: Page) -> None:
    page.select_option("#source", "it")
    page.fill("#text", "ciao")
    page.click("#translate")
    expect(page.locator("#translation")).to_have_text("CIAO")
    page.click("#swap")
    expect(page.locator("#source")).to_have_value("en")
    expect(page.locator("#target")).to_have_value("it")
    expect(page.locator("#text")).to_have_value("CIAO")


def test_copy_copies(page: Page, address: str) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    page.fill("#text", "ciao")
    page.click("#translate")
    expect(page.locator("#translation")).to_have_text("CIAO")
    page.click("#copy")
    expect(page.locator("#copy")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "CIAO"


def test_clear_clears(page: Page) -> None:
    page.fill("#text", "ciao")
    page.click("#translate")
    expect(page.locator("#translation")).to_have_text("CIAO")
    page.click("#clear")
    expect(page.locator("#translation")).to_have_text("")
    expect(page.locator("#copy")).to_be_disabled()


def test_a_newer_text_replaces_the_answer_that_is_on_its_way(page: Page, translator: FakeTranslator) -> None:
    translator.gate.clear()
    translator.entered.clear()
    page.fill("#text", "vecchio")
    page.click("#translate")
    assert translator.entered.wait(5)
    page.fill("#text", "nuovo")
    page.click("#translate")
    translator.gate.set()
    expect(page.locator("#translation")).to_have_text("NUOVO")


def test_everything_can_be_reached_by_keyboard_and_has_a_name(page: Page) -> None:
    page.fill("#text", "ciao")
    page.press("#text", "Control+Enter")
    expect(page.locator("#copy")).to_be_enabled()
    page.locator("#source").focus()
    reached = []
    for _ in range(9):
        reached.append(page.evaluate("document.activeElement.id"))
        page.keyboard.press("Tab")
    assert reached[:8] == ["source", "swap", "target", "text", "clear", "translation", "copy", "translate"]
    for name in ("From", "to", "Text to translate"):
        assert page.get_by_label(name, exact=True).count() >= 1


@pytest.mark.parametrize("width", [360, 768, 1400])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen(browser: Browser, address: str, width: int, scheme: str, tmp_path: Path) -> None:
    folder = Path(os.environ.get("TRAGHETTO_TEST_SCREENSHOTS", tmp_path))
    page = browser.new_page(viewport={"width": width, "height": 740}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(address)
    page.fill("#text", SENTENCE)
    page.press("#text", "Control+Enter")
    expect(page.locator("#translation")).to_have_text(SENTENCE.upper())
    page.screenshot(path=str(folder / f"page-{scheme}-{width}.png"))
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.close()
    assert overflow <= 0, "the page scrolls sideways"


def test_the_api_description_opens(browser: Browser, address: str) -> None:
    page = browser.new_page()
    page.goto(f"{address}/docs")
    expect(page.locator("#operations-translation-translate_v1_translate_post")).to_be_visible(timeout=15_000)
    page.close()
