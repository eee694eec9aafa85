"""Pictures of the pages of a running server, for docs/results: `python -m scripts.pictures http://127.0.0.1:8000`.

Each page on a desktop, on a telephone, and in the dark. What they show is what the server has. Needs Playwright (`make
install-dev`) and a Chromium on the path.
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

TEXT = "Il gatto nero dorme sul divano. Vorrei prenotare una camera con vista sul lago per due notti, per favore."
SCREENS: Mapping[str, Mapping[str, Any]] = {
    "desktop": {"viewport": {"width": 1100, "height": 800}, "locale": "en-GB"},
    "phone": {"viewport": {"width": 390, "height": 844}, "locale": "it-IT"},
    "dark": {"viewport": {"width": 1100, "height": 800}, "locale": "en-GB", "color_scheme": "dark"},
}
MOST_PX = 1500
"""Of a picture's height."""
COLOURS = 200
"""Of a picture: with few and plain ones as here, a third of the bytes."""
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def _translate(page: Any) -> None:
    page.fill("#text", TEXT)
    page.locator("#translation .very").first.click()
    page.wait_for_selector("#choices li")
    page.wait_for_timeout(500)


def _review(page: Any) -> None:
    page.wait_for_timeout(1500)


def _models(page: Any) -> None:
    page.wait_for_timeout(1500)


PAGES: Mapping[str, tuple[str, Callable[[Any], None]]] = {
    "translate": ("/", _translate),
    "review": ("/review", _review),
    "models": ("/models", _models),
}


def draw(address: str, folder: Path) -> None:
    """Write `page-<page>-<screen>.png` into `folder`."""
    from PIL import Image
    from playwright.sync_api import sync_playwright

    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        for screen, settings in SCREENS.items():
            for name, (address_path, show) in PAGES.items():
                page = browser.new_page(**settings)
                page.goto(address + address_path)
                show(page)
                size = settings["viewport"]
                height = min(MOST_PX, page.evaluate("document.documentElement.scrollHeight"))
                page.set_viewport_size({"width": size["width"], "height": max(height, size["height"])})
                path = folder / f"page-{name}-{screen}.png"
                page.screenshot(path=str(path))
                page.close()
                with Image.open(path) as picture:
                    picture.quantize(COLOURS).save(path, optimize=True)
        browser.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition(":")[0])
    parser.add_argument("address", help="of the server")
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    options = parser.parse_args()
    draw(options.address.rstrip("/"), options.out)


if __name__ == "__main__":
    main()
