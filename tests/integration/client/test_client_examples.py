"""Every example of `docs/clients.md` and of the client's README runs against a server, and prints what stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from corrections_kit import ADMIN_KEY

ROOT = Path(__file__).parents[3]
PAGES = ("docs/clients.md", "client/README.md")
PRINTED = "http://127.0.0.1:8000"
"""The address in the pages."""
LANGUAGES = {"bash": "curl", "python": None, "javascript": "node"}
"""Of examples, and the program that they need besides what runs the tests."""
PATIENT = ("--retry", "Retry-After")
"""What an example says that waits and tries again."""


class Example(NamedTuple):
    page: str
    line: int
    language: str
    code: str
    printed: str
    """`…` stands for anything."""


def examples() -> list[Example]:
    found = []
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        blocks = list(re.finditer(r"^```(\w*)\n(.*?)^```\n", text, re.MULTILINE | re.DOTALL))
        for block, after in zip(blocks, [*blocks[1:], None], strict=True):
            if block[1] in LANGUAGES:
                printed = after[2] if after and after[1] == "text" else ""
                found.append(Example(page, text[: block.start()].count("\n") + 1, block[1], block[2], printed))
    return found


def name(example: Example) -> str:
    return f"{example.page}:{example.line}-{example.language}"


def run(example: Example, address: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = LANGUAGES[example.language]
    if program and not shutil.which(program):
        pytest.skip(f"needs {program}, which is not on the path")
    file = folder / {"bash": "example.sh", "python": "example.py", "javascript": "example.mjs"}[example.language]
    file.write_text(example.code.replace(PRINTED, address), encoding="utf-8")
    command = {
        "bash": ["bash", "-eo", "pipefail"],
        "python": [sys.executable, "-W", "error"],
        "javascript": ["node"],
    }[example.language]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "client"), "PYTHONUTF8": "1", "KEY": ADMIN_KEY}
    return subprocess.run(
        [*command, str(file)], cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def says(printed: str, page: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in page.split("…"))
    return re.fullmatch(pattern, printed.strip(), re.DOTALL) is not None


@pytest.mark.parametrize("example", examples(), ids=name)
def test_it_prints_what_the_page_says(example: Example, address: str, tmp_path: Path) -> None:
    ran = run(example, address, tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert example.printed, "the page must say what this prints, in a block of text below it"
    assert says(ran.stdout, example.printed.strip()), f"{ran.stdout}\ninstead of\n{example.printed}"


@pytest.mark.parametrize("example", [one for one in examples() if any(word in one.code for word in PATIENT)], ids=name)
def test_those_that_wait_do(example: Example, refusing: Any, tmp_path: Path) -> None:
    address, app = refusing
    ran = run(example, address, tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert says(ran.stdout, example.printed.strip()), ran.stdout
    assert app.refused == 1


def test_there_is_one_of_each_kind() -> None:
    """So that a page whose blocks are named otherwise does not pass without being run."""
    found = examples()
    languages = [example.language for example in found if example.page == PAGES[0]]
    assert {language: languages.count(language) >= least for language, least in
            (("bash", 4), ("python", 5), ("javascript", 1))} == dict.fromkeys(LANGUAGES, True)  # fmt: skip
    assert [example.language for example in found if example.page == PAGES[1]] == ["python"]
    waiting = {example.language for example in found if any(word in example.code for word in PATIENT)}
    assert waiting == set(LANGUAGES)


def test_what_says_something_else_is_noticed() -> None:
    assert says('{"id":"1","status":"pending","x":1}\n', '{"id":"…","status":"pending",…}')
    assert not says('{"id":"1","status":"rejected"}\n', '{"id":"…","status":"pending",…}')
    assert not says("The train is late.\nmore\n", "The train is late.")


@pytest.mark.browser
def test_a_browser_runs_it_too(address: str, chromium: str) -> None:
    """From a page of the same address, as the page says."""
    from playwright.sync_api import sync_playwright

    (example,) = (one for one in examples() if one.language == "javascript")
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--headless", "--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{address}/")
        page.on("console", lambda message: said.append(message.text) if message.type == "log" else None)
        page.evaluate(f"async () => {{ {example.code.replace(PRINTED, '')} }}")
        browser.close()
    assert said == example.printed.splitlines()


def test_it_installs(tmp_path: Path) -> None:
    """`pip install ./client`, without a network: from a copy, since building writes beside the sources."""
    for needed in ("pip", "setuptools"):
        if find_spec(needed) is None:
            pytest.skip(f"needs {needed} beside what runs the tests, to build it without a network")
    copy = shutil.copytree(ROOT / "client", tmp_path / "client", ignore=shutil.ignore_patterns("__pycache__", "build"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-build-isolation", "--no-deps"]
    subprocess.run([*pip, "--target", str(tmp_path / "installed"), str(copy)], check=True, timeout=120)
    code = "import traghetto_client; print(traghetto_client.__file__, traghetto_client.__version__)"
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    package = tmp_path / "installed" / "traghetto_client"
    assert ran.stdout.split() == [str(package / "__init__.py"), "0.1.0"]
    assert (package / "py.typed").exists(), "type checkers must see its types"
    assert list((tmp_path / "installed").glob("traghetto_client-0.1.0.dist-info")), "the two versions must be the same"
