"""The page at `/models` in a real browser: versions, pictures, promotion, comparison, retraining as it goes on."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
import stand_in_retrain
from browsing import Open, fits
from databases import migrated
from fakes import FakeTranslator, fake_detect, serving
from playwright.sync_api import Page, expect
from stored import correction
from stored import store as put

from app.main import create_app
from app.settings import Settings
from app.storage.db import Database
from model.versions import store
from model.versions.store import find, load, save

pytestmark = pytest.mark.browser

PAIR, KEY = "it-en", "0123456789abcdef"
HOSTILE = "<img src=x onerror=alert(1)>"
PATIENCE_MS = 90_000
"""A retraining is a process that imports torch."""
TEST = {"sentences": 2106, "bleu": 67.05, "bleu_interval": [65.7, 68.5], "chrf": 78.6, "chrf_interval": [77.7, 79.5]}
CARDS: dict[str, dict[str, Any]] = {
    "default": {
        "scores": {
            "tatoeba.test": TEST,
            "challenge": {"passed": 9, "items": 20, "phenomena": {
                "idioms": {"passed": 1, "items": 10}, HOSTILE: {"passed": 8, "items": 10}}},
            "words": {"passed": 5, "items": 8, "phenomena": {
                "as it stands": {"passed": 1, "items": 4}, HOSTILE: {"passed": 4, "items": 4}}},
        },
        "data": {"tatoeba": {"kept": 1200}},
        "training": {
            "target_tokens": 30_000_000, "seconds": 120, "parameters": 10_033_264, "device": HOSTILE,
            "curve": [{"tokens": 10**7 * n, "dev bleu": 20.0 * n, "general.dev bleu": 5.0 * n, "nll": 4.0 / n}
                      for n in (1, 2, 3)],
        },
    },
    "better": {"parent": "it-en/default", "scores": {
        "tatoeba.test": {**TEST, "bleu": 69.25, "bleu_interval": [67.9, 70.6]}, HOSTILE: {"bleu": 5.0}}},
    "gated": {
        "parent": "it-en/better",
        "data": {"corrections": {"ids": ["00000000-0000-0000-0000-000000000001"]}},
        "scores": {"gate": {"sets": [{"name": "general", "sentences": 552, "measure": "BLEU", "before": 33.6,
                                      "after": 33.5, "delta": -0.1, "interval": [-0.5, 0.25], "passed": True,
                                      "why": HOSTILE}]}},
    },
    "damaged": {},
}  # fmt: skip


@pytest.fixture
def settings(tiny_data_dir: Path, tmp_path: Path) -> Settings:
    """A data directory with four versions of the tiny model, one of them damaged."""
    like = load(find([tiny_data_dir / "models"], PAIR, "default"))
    root = tmp_path / "data" / "models"
    for version, card in CARDS.items():
        save(root, PAIR, version, like.model, (like.source, like.target), card)
    (root / PAIR / "damaged" / "model.safetensors").write_bytes(b"no weights")
    chosen = Settings(data_dir=tmp_path / "data", device="cpu", torch_threads=1)  # type: ignore[arg-type]
    migrated(chosen.database)
    return chosen


@pytest.fixture
def control(tmp_path: Path) -> Path:
    """The folder that says what a retraining does: see `stand_in_retrain`."""
    folder = tmp_path / "control"
    folder.mkdir()
    return folder


@pytest.fixture
def only_these(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the versions that ship."""
    monkeypatch.setattr(store, "BUNDLED", tmp_path / "bundled")


@pytest.fixture
def address(settings: Settings, control: Path, only_these: None) -> Iterator[str]:
    """A server whose owner opens the page."""
    with serving(made(settings, control)) as one:
        yield one


def made(settings: Settings, control: Path) -> Any:
    translators = {PAIR: FakeTranslator(version="default")}
    return create_app(settings, lambda: translators, detect=fake_detect, retrain=stand_in_retrain.command(control))


@pytest.fixture
def page(opened: Open, address: str) -> Iterator[Page]:
    with opened(address, "/models") as one:
        yield one


def approve(settings: Settings, *sources: str) -> None:
    async def stored() -> None:
        database = Database(settings.database)
        await put(database, *(correction(source, f"The {source}") for source in sources))
        await database.close()

    with ThreadPoolExecutor(1) as thread:  # this one has Playwright's event loop
        thread.submit(lambda: asyncio.run(stored())).result()


def choose(page: Page, version: str) -> None:
    page.locator("#tree button", has_text=version).click()
    expect(page.locator("#version-title")).to_contain_text(version)
    expect(page.locator("#version")).to_have_attribute("aria-busy", "false")


def test_versions_stand_below_those_that_they_were_made_from(page: Page) -> None:
    expect(page.locator("#tree > ul > li > button b")).to_have_text(["damaged", "default"])
    expect(page.locator("#tree > ul > li > ul > li > button b")).to_have_text(["better"])
    expect(page.locator("#tree ul ul ul button b")).to_have_text(["gated"])
    expect(page.locator("#tree button[aria-current=true]")).to_contain_text("default current translates now")
    choose(page, "gated")
    expect(page.locator("#version dl")).to_contain_text("better ← default")
    expect(page.locator("#version dl")).to_contain_text("1 correction")
    assert page.url.endswith("#it-en/gated")
    page.reload()
    expect(page.locator("#version-title")).to_contain_text("gated")
    page.go_back()
    expect(page.locator("#version-title")).to_contain_text("default")


def test_scores_are_drawn_and_told(page: Page) -> None:
    choose(page, "better")
    bleu = page.get_by_role("img", name="BLEU 69.3 (67.9 to 70.6); default: 67.1 (65.7 to 68.5)")
    expect(bleu).to_be_visible()
    assert bleu.locator("rect.bar-one").get_attribute("width") == "69.25%"
    assert bleu.locator("line.whisker").count() == 6, "an interval is a line with two ends; here are two of them"
    expect(page.get_by_role("img", name="BLEU 5", exact=True)).to_be_visible()


def test_the_curve_is_drawn_and_told(page: Page) -> None:
    curve = page.get_by_role("img", name="BLEU. development: 20 at first, 60 at last, 60 at best. general sentences")
    expect(curve).to_be_visible()
    assert curve.locator("polyline").count() == 2
    expect(page.get_by_role("img", name="Loss, nats a token. while learning: 4 at first, 1.3 at last")).to_be_visible()
    choose(page, "better")
    expect(page.locator("figure")).to_have_count(0)


def test_what_a_version_can_do_and_cannot(page: Page) -> None:
    expect(page.locator("#version summary")).to_have_text(
        ["What it can do: 9 of 20 right", "Everyday words, typed in four ways: 5 of 8 right"]
    )
    expect(page.locator(".kinds li").first).to_contain_text("idioms")
    expect(page.locator(".kinds").nth(1).locator("li").first).to_contain_text("in small letters")
    expect(page.locator("#version dl")).to_contain_text("Weak at")
    expect(page.locator("#version dl")).to_contain_text("10,033,264")


def test_what_a_card_says_is_text(page: Page) -> None:
    expect(page.locator("#version dl")).to_contain_text(HOSTILE)
    expect(page.locator(".kinds")).to_contain_text([HOSTILE, HOSTILE])
    choose(page, "better")
    expect(page.locator(".scores")).to_contain_text(HOSTILE)
    choose(page, "gated")
    expect(page.locator("#version table")).to_contain_text(HOSTILE)
    assert page.locator("main img, main script:not([type='application/json'])").count() == 0


def test_the_gate_is_shown_with_sign_and_verdict(page: Page) -> None:
    choose(page, "gated")
    row = page.locator("#version table tbody tr")
    expect(row).to_contain_text("general sentences")
    expect(row).to_contain_text("−0.1 (−0.5 … +0.25)")
    expect(row.locator(".chip")).to_have_text("✓ passes")


def test_promotion_asks_moves_and_can_be_taken_back(page: Page, address: str) -> None:
    choose(page, "better")
    page.click("#version button.main")
    expect(page.locator("#ask-text")).to_have_text("it-en: make better the current version? Now it is default.")
    page.keyboard.press("Escape")
    current = lambda: [one["version"] for one in httpx.get(f"{address}/v1/models").json()["models"] if one["current"]]  # noqa: E731
    assert current() == ["default"], "who does not say yes has moved nothing"
    page.click("#version button.main")
    page.click("#ask-yes")
    expect(page.locator("#said")).to_contain_text("it-en: better is current now; before, it was default.")
    expect(page.locator("#tree button", has_text="default")).to_contain_text("retired")
    expect(page.locator("#version button.main")).to_have_count(0)
    page.click("#rollback")
    expect(page.locator("#ask-text")).to_have_text("it-en: go back from better to default?")
    page.click("#ask-yes")
    expect(page.locator("#said")).to_contain_text("default is current now")
    assert current() == ["default"]
    expect(page.locator("#rollback")).to_be_disabled()
    expect(page.locator("#version")).to_be_focused()


def test_a_rollback_to_nothing_is_not_offered(page: Page, accessible: Callable[[Page], None]) -> None:
    expect(page.locator("#rollback")).to_have_attribute("title", "There is nothing to go back to.")
    expect(page.locator("#rollback")).to_be_disabled()
    accessible(page)


def test_a_page_that_still_loads_is_accessible(opened: Open, address: str, accessible: Callable[[Page], None]) -> None:
    with opened(address, "/") as page:
        page.route(f"**/v1/models/{PAIR}/*", lambda route: None)  # never answered
        page.goto(f"{address}/models")
        expect(page.locator("#tree button")).to_have_count(len(CARDS))
        expect(page.get_by_role("region", name="The version chosen")).to_have_attribute("aria-busy", "true")
        accessible(page)
        page.unroute_all(behavior="ignoreErrors")


def test_who_promotes_what_is_much_worse_is_warned(page: Page, address: str) -> None:
    httpx.post(f"{address}/v1/models/{PAIR}/better/promote", timeout=30).raise_for_status()
    page.goto(f"{address}/models?ui=it#it-en/default")
    page.reload()
    for language, said in (
        ("it", "Il suo BLEU su «frasi quotidiane, test» è 67,1; quello di better è 69,3."),
        ("en", "Its BLEU on “everyday sentences, test” is 67.1; that of better is 69.3."),
    ):
        page.goto(f"{address}/models?ui={language}#it-en/default")
        page.click("#version button.main")
        expect(page.locator("#ask-text")).to_contain_text(f"better. {said}")
        page.keyboard.press("Escape")
    choose(page, "gated")
    page.click("#version button.main")
    expect(page.locator("#ask-text")).to_have_text("it-en: make gated the current version? Now it is better.")


def test_what_cannot_be_done_is_said(page: Page, address: str) -> None:
    httpx.post(f"{address}/v1/models/{PAIR}/better/promote", timeout=30).raise_for_status()
    page.reload()
    page.click("#rollback")
    httpx.post(f"{address}/v1/models/{PAIR}/rollback", timeout=30).raise_for_status()  # somebody else, meanwhile
    page.click("#ask-yes")
    expect(page.locator("#error")).to_contain_text("there is nothing to go back to")
    choose(page, "damaged")
    page.click("#version button.main")
    page.click("#ask-yes")
    expect(page.locator("#error")).to_contain_text("damaged cannot be made the current version")
    page.click("#retrain")
    page.click("#ask-yes")
    expect(page.locator("#end")).to_contain_text("There is nothing to learn")


def test_two_versions_say_a_sentence_side_by_side(page: Page) -> None:
    page.select_option("#first", "default")
    page.select_option("#second", "better")
    page.fill("#sentence", f"Quanto costa {HOSTILE}?")
    page.click("#compare button")
    expect(page.locator("#compared h3")).to_have_text(["default", "better"], timeout=30_000)
    expect(page.locator("#compared")).to_contain_text("Both say the same.")
    expect(page.locator("#compared .text").first).to_contain_text("onerror=alert(1)")
    assert page.locator("#compared .text").first.get_attribute("lang") == "en"
    page.select_option("#second", "damaged")
    page.click("#compare button")
    expect(page.locator("#compared .error")).to_contain_text("damaged cannot be used", timeout=30_000)
    assert page.locator("#compared img").count() == 0


def test_the_current_version_is_compared_with_the_one_that_is_looked_at(page: Page, settings: Settings) -> None:
    first, second = page.locator("#first"), page.locator("#second")
    expect(first).to_have_value("default")
    expect(second).to_have_value("better")
    choose(page, "gated")
    expect(second).to_have_value("gated")
    page.select_option("#second", "better")
    choose(page, "damaged")
    expect(second).to_have_value("better")
    expect(first).to_have_value("default")
    page.fill("#sentence", "Ciao.")
    page.click("#compare button")
    expect(page.locator("#compared .text")).to_have_count(2, timeout=30_000)
    assert page.locator("#compared section p").count() == 2, "a number of a model's own tells nothing beside another's"
    like = load(find([settings.data_dir / "models"], PAIR, "default"))
    save(settings.data_dir / "models", "en-it", "default", like.model, (like.target, like.source), {})
    choose(page, "better")
    page.reload()
    page.fill("#sentence", "Ciao.")
    page.click("#compare button")
    expect(page.locator("#compared .text")).to_have_count(2, timeout=30_000)
    page.get_by_role("button", name="en → it").click()
    expect(page.locator("#compared")).to_be_empty()
    expect(first).to_have_value("default")


def go_on(control: Path, verdict: str = stand_in_retrain.PASSES) -> None:
    (control / stand_in_retrain.VERDICT).write_text(verdict)
    (control / stand_in_retrain.GO).touch()


def begin(page: Page, question: str) -> None:
    page.click("#retrain")
    expect(page.locator("#ask-text")).to_contain_text(question)
    page.click("#ask-yes")
    expect(page.locator("#stage")).to_have_text("Learning 1 correction", timeout=PATIENCE_MS)


def test_a_retraining_is_watched_through_a_reload_to_its_report(page: Page, settings: Settings, control: Path) -> None:
    approve(settings, f"gatto {HOSTILE}")
    begin(page, "Retrain it-en from default?")
    expect(page.locator("#runs li")).to_contain_text("running")
    for _ in range(2):  # no event comes meanwhile
        seconds = page.locator("#seconds").inner_text()
        expect(page.locator("#seconds")).not_to_have_text(seconds)
        assert re.fullmatch(r"it-en · \d+ / \d+ · 0:\d\d", seconds), seconds
    page.reload()
    expect(page.locator("#stage")).to_have_text("Learning 1 correction")
    expect(page.locator("#retrain")).to_be_disabled()
    assert float(page.locator("#progress").evaluate("one => one.value")) > 0.3
    go_on(control)
    expect(page.locator("#end")).to_contain_text(": promoted.", timeout=PATIENCE_MS)
    expect(page.locator("#run")).to_be_hidden()
    expect(page.locator("#tree button", has_text="corrected-")).to_contain_text("current translates now")
    report = page.locator("#report")
    expect(report.locator("h2")).to_contain_text("Report on corrected-")
    expect(report.locator(".changed li").first).to_contain_text("▲ better +21.5")
    expect(report.locator(".changed li").first).to_contain_text(HOSTILE)
    expect(report.locator(".changed li").last.locator(".chip")).to_have_text("▼ worse −12.25")
    expect(report.locator(".changed li").last.locator("del")).to_have_text("late")
    expect(report.locator(".changed li").last.locator("ins")).to_have_text("a delay")
    assert report.locator("img, i").count() == 0
    report.get_by_role("button", name="Close").click()
    expect(report).to_be_hidden()
    choose(page, "corrected-")
    page.locator("#version").get_by_role("button", name="Report").click()
    expect(report).to_be_visible()


def test_a_retraining_that_the_gate_refuses_says_why(page: Page, settings: Settings, control: Path) -> None:
    approve(settings, "gatto", "cane")
    go_on(control, stand_in_retrain.REFUSED)
    page.check("#dry")
    page.click("#retrain")
    expect(page.locator("#ask-text")).to_contain_text("The result is not promoted.")
    page.click("#ask-yes")
    expect(page.locator("#end")).to_contain_text("refused by the gate", timeout=PATIENCE_MS)
    expect(page.locator("#end")).to_contain_text("general loses 3.1 BLEU")
    report = page.locator("#report")
    expect(report.locator(".chip", has_text="fails")).to_be_visible()
    expect(report).to_contain_text("Left out: 1 of 2 corrections, too long or hardly a translation.")
    report.get_by_role("link", name="Look at the approved corrections: odd ones hold the others back.").click()
    page.wait_for_url("**/review?status=approved&pair=it-en")


def test_a_retraining_is_stopped(page: Page, settings: Settings) -> None:
    approve(settings, "gatto")
    begin(page, "Retrain it-en")
    page.click("#stop")
    expect(page.locator("#ask-text")).to_contain_text("Stop the retraining of it-en from default?")
    page.click("#ask-yes")
    expect(page.locator("#end")).to_contain_text("interrupted", timeout=PATIENCE_MS)
    expect(page.locator("#end")).not_to_have_class("bad")
    expect(page.locator("#runs li")).to_contain_text("interrupted")
    expect(page.locator("#runs button")).to_have_count(0)
    expect(page.locator("#retrain")).to_be_enabled()


def test_who_is_quick_is_asked_about_the_right_pair(page: Page) -> None:
    """The button can be pressed before all is loaded."""
    page.route(re.compile("/v1/models/it-en/default$"), lambda route: None)
    page.reload(wait_until="commit")
    page.click("#retrain")
    expect(page.locator("#ask-text")).to_contain_text("Retrain it-en from default?")


def test_a_retraining_that_fails_says_so_and_has_no_report(page: Page, settings: Settings, control: Path) -> None:
    approve(settings, "gatto")
    go_on(control, stand_in_retrain.FAILS)
    page.click("#retrain")
    page.click("#ask-yes")
    expect(page.locator("#end")).to_contain_text(": failed.", timeout=PATIENCE_MS)
    expect(page.locator("#end")).to_have_class("bad")
    expect(page.locator("#runs li")).to_contain_text("RuntimeError")
    expect(page.locator("#runs button")).to_have_count(0)


def test_a_connection_that_is_lost_is_made_again(page: Page, settings: Settings, control: Path) -> None:
    approve(settings, "gatto")
    page.route(re.compile("/events$"), lambda route: route.abort())
    page.click("#retrain")
    page.click("#ask-yes")
    expect(page.locator("#seconds")).to_contain_text("connection is lost", timeout=PATIENCE_MS)
    page.unroute(re.compile("/events$"))
    expect(page.locator("#stage")).to_have_text("Learning 1 correction", timeout=PATIENCE_MS)
    go_on(control)
    expect(page.locator("#end")).to_contain_text(": promoted.", timeout=PATIENCE_MS)


def test_a_key_is_asked_for_and_a_wrong_one_again(opened: Open, settings: Settings, control: Path) -> None:
    closed = settings.model_copy(update={"admin_key": Settings(admin_key=KEY).admin_key})  # type: ignore[arg-type]
    with serving(made(closed, control)) as address, opened(address, "/models") as page:
        for key in ("wrong-key-0123456789", KEY):
            page.fill("#key-value", key)
            page.press("#key-value", "Enter")
        expect(page.locator("#version-title")).to_contain_text("default")
        expect(page.locator("#key")).to_be_hidden()


def test_who_gives_no_key_is_told(opened: Open, settings: Settings, control: Path) -> None:
    closed = settings.model_copy(update={"admin_key": Settings(admin_key=KEY).admin_key})  # type: ignore[arg-type]
    with serving(made(closed, control)) as address, opened(address, "/models") as page:
        expect(page.locator("#key")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#error")).to_contain_text("needs a key")
        expect(page.locator("#retrain")).to_be_disabled()


def test_the_keyboard_is_enough_and_keeps_its_place(page: Page) -> None:
    expect(page.locator("#tree button")).to_have_count(4)
    page.locator("#tree button", has_text="better").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#version-title")).to_contain_text("better")
    expect(page.locator("#tree button", has_text="better")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#tree button", has_text="gated")).to_be_focused()
    page.locator("#version button.main").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#said")).to_contain_text("better is current now")
    expect(page.locator("#version")).to_be_focused()


@pytest.mark.parametrize(("width", "scheme", "locale"), [(360, "light", "it-IT"), (1100, "dark", "en-GB")])
@pytest.mark.parametrize("version", ["default", "gated"])
def test_it_fits_every_screen_and_everybody(
    opened: Open, address: str, accessible: Callable[[Page], None], width: int, scheme: str, locale: str, version: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    with opened(address, f"/models#it-en/{version}", width=width, color_scheme=scheme, locale=locale) as page:
        expect(page.locator("#version-title")).to_contain_text(version)
        page.fill("#sentence", "Quanto costa questo libro?")
        page.click("#compare button")
        expect(page.locator("#compared h3")).to_have_count(2, timeout=30_000)
        folder = Path(os.environ.get("TRAGHETTO_TEST_SCREENSHOTS", tmp_path))
        page.screenshot(path=str(folder / f"models-{version}-{scheme}-{width}.png"), full_page=True)
        assert fits(page)
        accessible(page)


def test_the_report_and_a_run_fit_and_are_for_everybody(
    opened: Open, address: str, settings: Settings, control: Path, accessible: Callable[[Page], None]
) -> None:
    approve(settings, "gatto " * 40)
    with opened(address, "/models", width=360, locale="it-IT") as page:
        page.click("#retrain")
        accessible(page)  # the dialog
        page.click("#ask-yes")
        expect(page.locator("#stage")).to_have_text("Apprendimento di 1 correzione", timeout=PATIENCE_MS)
        assert fits(page)
        accessible(page)
        go_on(control)
        expect(page.locator("#report")).to_be_visible(timeout=PATIENCE_MS)
        assert fits(page)
        accessible(page)
