"""What tests of pages share, besides the fixtures of `tests/e2e/conftest.py`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from playwright.sync_api import Page

Open = Callable[..., contextlib.AbstractContextManager[Page]]
"""The fixture `opened`."""


def fits(page: Page) -> bool:
    """Whether nothing makes the page scroll sideways."""
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return bool(overflow <= 0)
