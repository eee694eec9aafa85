"""The whole story by the pages alone, in two browsers, on the shipped model, a real server and a real retraining: one
person corrects, another approves, memory answers, the model learns, is promoted, and is rolled back."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browsing import Open
from databases import migrated
from fakes import serving
from gate_sets import gate_options
from patience import wait_until
from playwright.sync_api import Page, expect

from app.main import create_app
from app.settings import Settings
from benchmarks.demo_loop import PAIR, choose

pytestmark = [pytest.mark.browser, pytest.mark.weights, pytest.mark.long, pytest.mark.timeout(900)]

CORRECTIONS = 3
SOON_MS, RETRAINED_MS = 60_000, 600_000
KEY = "0123456789abcdef0123"


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A server for others: who corrects needs no key, who reviews does."""
    settings = Settings(data_dir=tmp_path / "data", admin_key=KEY)
    migrated(settings.database)
    monkeypatch.setenv("TRAGHETTO_DATA_DIR", str(settings.data_dir))
    command = (sys.executable, "-m", "app.cli", "retrain", *gate_options(tmp_path / "sets", PAIR))
    with serving(create_app(settings, retrain=command)) as one:
        yield one


def correct(page: Page, source: str, corrected: str) -> None:
    page.fill("#text", source)
    expect(page.locator("#translation .word").first).to_be_visible(timeout=SOON_MS)
    expect(page.locator("#mirror")).to_contain_text(source.split()[-1])  # the answer is that of this text
    page.click("#correct")
    page.fill("#correction-text", corrected)
    page.click("#correction-send")
    expect(page.locator("#corrections li", has_text=corrected)).to_contain_text("waits for a reviewer")


def approve_all(page: Page) -> None:
    """With the key that the page asks for, by keyboard."""
    page.fill("#key-value", KEY)
    page.press("#key-value", "Enter")
    expect(page.locator("article")).to_have_count(CORRECTIONS)
    page.keyboard.press("j")
    for _ in range(CORRECTIONS):  # faster than the answers come
        page.keyboard.press("a")
    expect(page.locator("article .chip", has_text="approved")).to_have_count(CORRECTIONS)


def retrain(page: Page) -> None:
    page.click("#retrain")
    page.click("#ask-yes")
    expect(page.locator("#stage")).to_contain_text(f"{CORRECTIONS} folds", timeout=SOON_MS)
    expect(page.locator("#end")).to_contain_text(": promoted.", timeout=RETRAINED_MS)
    expect(page.locator("#report h2")).to_contain_text("Report on corrected-")
    expect(page.locator("#tree button", has_text="corrected-")).to_contain_text("current")


def test_a_correction_goes_all_the_way(opened: Open, address: str) -> None:
    corrections = choose(CORRECTIONS, seed=1).corrected
    source, right = corrections[-1]
    with opened(address) as author, opened(address, "/review") as reviewer:
        author.select_option("#source", "it")
        for one in corrections:
            correct(author, *one)
        expect(author.locator("#translation")).not_to_have_text(right)
        approve_all(reviewer)
        fates = author.locator("#corrections .chip")
        expect(fates).to_have_text(["approved: it answers from memory"] * CORRECTIONS, timeout=SOON_MS)
        expect(author.locator("#translation .memory")).to_have_text(right)
        reviewer.goto(f"{address}/models")
        retrain(reviewer)
        expect(fates.first).to_contain_text("learnt by model corrected-", timeout=SOON_MS)
        wait_until(lambda: _serving(address).startswith("corrected-"), "the new version translates", SOON_MS / 1000)
        author.fill("#text", "Ciao a tutti.")
        expect(author.locator("#about")).to_contain_text("model corrected-", timeout=SOON_MS)
        reviewer.click("#rollback")
        expect(reviewer.locator("#ask-text")).to_contain_text("it-en")
        reviewer.click("#ask-yes")
        expect(reviewer.locator("#said")).to_contain_text("default is current now")
        author.fill("#text", "Ciao a tutti voi.")
        expect(author.locator("#about")).to_contain_text("model default", timeout=SOON_MS)
        author.fill("#text", source)
        expect(author.locator("#translation .memory")).to_have_text(right, timeout=SOON_MS)


def _serving(address: str) -> str:
    """The version that translates now: a moment after it was promoted."""
    return str(httpx.get(f"{address}/health/ready", timeout=20).json()["models"][PAIR])
