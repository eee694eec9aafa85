"""A real browser for the tests of the pages, and what any page must keep: it loads nothing from elsewhere, breaks no
rule of the Content Security Policy, raises no error, and axe-core finds nothing wrong with it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browsing import Open
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        one = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield one
        one.close()


@pytest.fixture
def opened(browser: Browser) -> Open:
    """`with opened(address, "/review", width=360, color_scheme="dark") as page:` a page in a browser of its own, that
    has no past. What it complains about, or loads from elsewhere, fails the test."""

    @contextlib.contextmanager
    def open_one(address: str, path: str = "/", *, width: int = 1100, height: int = 740, **more: Any) -> Iterator[Page]:
        context = browser.new_context(viewport={"width": width, "height": height}, **({"locale": "en-GB"} | more))
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.on("request", lambda asked: complaints.append(asked.url) if _is_foreign(asked.url, address) else None)
        page.set_default_timeout(10_000)
        page.goto(f"{address}{path}")
        yield page
        context.close()
        assert complaints == []

    return open_one


def _is_foreign(url: str, address: str) -> bool:
    return not url.startswith((address, f"blob:{address}", "data:"))


@pytest.fixture(scope="session")
def accessible() -> Callable[[Page], None]:
    """`accessible(page)` fails with all that axe-core finds wrong with what is shown now."""
    from axe_playwright_python.sync_playwright import Axe

    axe = Axe()

    def check(page: Page) -> None:
        found = axe.run(page)
        assert found.violations_count == 0, found.generate_report()

    return check
