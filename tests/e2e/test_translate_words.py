"""Words of a translation that are pointed at, other words, and corrections: on the page at `/`, in a real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from browsing import Open
from fakes import FakeTranslator, make_app, serving
from playwright.sync_api import Page, Route, expect

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    both = (FakeTranslator(), FakeTranslator(pair="en-it"))
    with serving(make_app(tmp_path_factory.mktemp("words"), *both)) as one:
        yield one


@pytest.fixture
def page(opened: Open, address: str) -> Iterator[Page]:
    with opened(address) as one:
        yield one


def typed(page: Page, text: str) -> None:
    page.fill("#text", text)
    expect(page.locator("#translation")).to_have_text(text.upper())


def word(page: Page, text: str) -> None:
    page.locator("#translation .word", has_text=text).click()


def test_words_that_the_model_is_unsure_of_are_shaded(page: Page) -> None:
    typed(page, "il gatto forse dorme")
    expect(page.locator(".unsure")).to_have_text(["FORSE"])
    expect(page.locator("#word-note")).to_have_text("shaded: the model was unsure")


def test_a_word_shows_where_it_comes_from_and_the_other_way_round(page: Page) -> None:
    typed(page, "😀 il gatto. Un cane dorme.")
    page.locator("#translation .word", has_text="DORME").hover()
    expect(page.locator("#mirror .on")).to_have_text(["dorme."])
    expect(page.locator("#word-note")).to_contain_text("“DORME.” comes from “dorme.” · 90 % sure")
    place = page.locator("#mirror span", has_text="cane").bounding_box()
    assert place is not None
    page.mouse.move(place["x"] + 5, place["y"] + 5)
    expect(page.locator("#translation .on")).to_have_text(["CANE"])


def test_arrow_keys_go_from_word_to_word(page: Page) -> None:
    typed(page, "il gatto dorme")
    page.focus("#translation")
    for _ in range(2):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#word-note")).to_contain_text("“GATTO” comes from “gatto”")
    page.keyboard.press("Enter")
    expect(page.locator("#choices")).to_be_visible()
    expect(page.locator("#choices li button").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#choices")).to_be_hidden()


def test_another_word_is_chosen_and_the_rest_follows(page: Page, accessible: Callable[[Page], None]) -> None:
    typed(page, "Il gatto dorme. Il cane no.")
    word(page, "GATTO")
    offered = page.locator("#choices ul").first.locator("li b")
    expect(offered).to_have_text(["W1", "W2", "W3", "W4", "W5"])
    expect(page.locator("#choices li", has_text="W1").first).to_contain_text("IL W1 DORME.")
    accessible(page)
    page.locator("#choices li b", has_text="W2").click()
    expect(page.locator("#translation")).to_have_text("IL W2 DORME. IL CANE NO.")
    expect(page.locator("#choices")).to_be_hidden()
    page.fill("#text", "Il gatto dorme. Il cane no. Ecco.")
    expect(page.locator("#translation")).to_have_text("IL W2 DORME. IL CANE NO. ECCO.")
    page.click("#clear")
    typed(page, "Il gatto dorme.")


def test_a_word_of_ones_own_and_a_whole_sentence(page: Page) -> None:
    typed(page, "Il gatto dorme.")
    word(page, "GATTO")
    page.fill("#choices input", "MICIO")
    page.press("#choices input", "Enter")
    expect(page.locator("#translation")).to_have_text("IL MICIO DORME.")
    word(page, "MICIO")
    page.locator("#choices li", has_text="IL GATTO DORME. (1)").click()
    expect(page.locator("#translation")).to_have_text("IL GATTO DORME. (1)")


def test_a_failure_while_words_are_looked_for_is_said(page: Page) -> None:
    typed(page, "Il gatto dorme.")
    page.route("**/v1/translate", lambda route: route.abort())
    word(page, "GATTO")
    expect(page.locator("#choices .error")).to_have_text("The server cannot be reached.")


def test_a_correction_is_sent_and_its_fate_appears_without_reloading(page: Page, address: str) -> None:
    typed(page, "Il cane <b>abbaia</b>. Il gatto dorme.")
    page.locator("#translation .word", has_text="GATTO").click()
    page.get_by_role("button", name="Correct this sentence").click()
    expect(page.locator("#correction-source")).to_have_text("Il gatto dorme.")
    expect(page.locator("#correction-send")).to_be_disabled()
    page.fill("#correction-text", "The cat is <i>asleep</i>.")
    expect(page.locator("#correction-difference del")).to_have_text("IL GATTO DORME")
    expect(page.locator("#correction-difference ins")).to_have_text("The cat is <i>asleep</i>")
    page.click("#correction-send")
    mine = page.locator("#corrections li")
    expect(mine).to_contain_text("waits for a reviewer")
    expect(mine).to_contain_text("The cat is <i>asleep</i>.")
    assert page.locator("#corrections i").count() == 0
    id = mine.get_attribute("data-id")
    assert httpx.post(f"{address}/v1/corrections/{id}/approve").status_code == 200
    expect(mine).to_contain_text("approved: it answers from memory")
    expect(page.locator("#translation .memory")).to_have_text("The cat is <i>asleep</i>.")
    reason = {"reason": "too <free>"}
    assert httpx.post(f"{address}/v1/corrections/{id}/reject", json=reason).status_code == 200
    expect(mine).to_contain_text("not taken: too <free>")
    page.reload()
    expect(page.locator("#corrections li")).to_contain_text("not taken")
    page.get_by_role("button", name="Delete: The cat is").click()
    page.locator("#ask-yes").click()
    expect(page.locator("#mine")).to_be_hidden()
    assert httpx.get(f"{address}/v1/corrections/{id}").status_code == 404


def test_an_approved_correction_goes_before_a_word_that_was_chosen(page: Page, address: str) -> None:
    typed(page, "Un merlo canta.")
    word(page, "MERLO")
    page.locator("#choices li b", has_text="W1").click()
    expect(page.locator("#translation")).to_have_text("UN W1 CANTA.")
    page.click("#correct")
    page.fill("#correction-text", "A blackbird is singing.")
    page.click("#correction-send")
    expect(page.locator("#mine")).to_be_focused()
    id = page.locator("#corrections li").first.get_attribute("data-id")
    assert httpx.post(f"{address}/v1/corrections/{id}/approve").status_code == 200
    expect(page.locator("#translation")).to_have_text("A blackbird is singing.")


def test_a_correction_is_of_what_was_shown_when_it_was_begun(page: Page) -> None:
    page.select_option("#source", "it")
    typed(page, "Il merlo dorme.")
    page.click("#correct")
    page.click("#swap")
    expect(page.locator("#source")).to_have_value("en")
    page.click("#clear")
    page.fill("#correction-text", "The blackbird is asleep.")
    with page.expect_request("**/v1/corrections") as sent:
        page.click("#correction-send")
    body = sent.value.post_data_json
    assert (body["source"], body["target"], body["source_text"]) == ("it", "en", "Il merlo dorme.")
    expect(page.locator("#corrections li").first).to_contain_text("waits for a reviewer")


def test_a_decision_that_was_taken_back_shows_after_a_reload(page: Page, address: str) -> None:
    typed(page, "Il merlo vola.")
    page.click("#correct")
    page.fill("#correction-text", "The blackbird flies.")
    page.click("#correction-send")
    mine = page.locator("#corrections li").first
    id = mine.get_attribute("data-id")
    httpx.post(f"{address}/v1/corrections/{id}/reject", json={"reason": "no"})
    expect(mine).to_contain_text("not taken")
    httpx.post(f"{address}/v1/corrections/{id}/approve")
    page.reload()
    expect(mine).to_contain_text("approved")


def test_who_goes_on_typing_keeps_the_focus(page: Page) -> None:
    typed(page, "Il gatto dorme.")
    word(page, "GATTO")
    page.locator("#choices li b").first.wait_for()
    held: list[Route] = []
    page.route("**/v1/translate", lambda route: held.append(route))
    page.locator("#choices li b", has_text="W2").click()
    page.locator("#text").click()
    held.pop(0).continue_()
    page.keyboard.type("x")
    page.keyboard.type("y")
    page.wait_for_timeout(300)
    expect(page.locator("#text")).to_be_focused()


def test_a_sentence_that_is_too_long_for_it_says_so(page: Page) -> None:
    text = "parola " * 210
    page.fill("#text", text)
    expect(page.locator("#translation .word").nth(200)).to_be_visible()
    page.locator("#translation .word").first.click()
    expect(page.locator("#choices .error")).to_contain_text("too long to go on from a word")


def test_a_correction_that_cannot_be_one_is_explained(page: Page) -> None:
    typed(page, "Il gatto {nome} dorme.")
    page.click("#correct")
    page.fill("#correction-text", "The cat is asleep.")
    page.click("#correction-send")
    expect(page.locator("#correction-error")).to_contain_text("{nome}")
    page.click("#correction-cancel")
    expect(page.locator("#correction")).to_be_hidden()


def test_a_correction_without_a_key_can_be_seen_by_who_sent_it_only(opened: Open, tmp_path_factory) -> None:
    app = make_app(tmp_path_factory.mktemp("locked"), admin_key="k" * 24)
    with serving(app) as address, opened(address) as page:
        typed(page, "Il gatto dorme.")
        page.click("#correct")
        page.fill("#correction-text", "The cat is asleep.")
        page.click("#correction-send")
        expect(page.locator("#corrections li")).to_contain_text("waits for a reviewer")
        id = page.locator("#corrections li").get_attribute("data-id")
        assert "source_text" not in httpx.get(f"{address}/v1/corrections/{id}").json()


def test_a_server_that_needs_a_key_is_given_one(opened: Open, tmp_path_factory) -> None:
    app = make_app(tmp_path_factory.mktemp("closed"), admin_key="k" * 24, open_scopes="none")
    with serving(app) as address, opened(address) as page:
        page.fill("#text", "ciao")
        expect(page.locator("#key-why")).to_contain_text("key with the scope 'translate'")
        page.fill("#key-value", "k" * 24)
        page.press("#key-value", "Enter")
        expect(page.locator("#translation")).to_have_text("CIAO")
        assert "k" * 24 not in page.url
        page.click("#forget")
        page.fill("#text", "ciao a te")
        expect(page.locator("#key-why")).to_contain_text("key with the scope 'translate'")


def test_one_key_is_enough_for_all_who_wait_and_nobody_is_asked_for_what_he_did_not_want(
    opened: Open, tmp_path_factory
) -> None:
    app = make_app(tmp_path_factory.mktemp("half"), admin_key="k" * 24, open_scopes="translate")
    with serving(app) as address, opened(address) as page:
        kept = [{"id": f"{number:032}", "status": "pending", "text": "x", "source": "y"} for number in range(3)]
        page.evaluate("(kept) => localStorage.setItem('traghetto.corrections', JSON.stringify(kept))", kept)
        page.reload()
        typed(page, "Il gatto dorme.")
        expect(page.locator("#key")).to_be_hidden()
        page.click("#correct")
        page.fill("#correction-text", "The cat is asleep.")
        page.click("#correction-send")
        page.fill("#key-value", "k" * 24)
        page.press("#key-value", "Enter")
        expect(page.locator("#corrections li").first).to_contain_text("The cat is asleep.")
        assert page.evaluate("JSON.parse(sessionStorage['traghetto.key'])") == "k" * 24
