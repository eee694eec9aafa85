"""What the documents promise is there: links, files, make targets, commands and their options."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from cli_kit import in_process

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def code_lines(page: Path) -> list[str]:
    """Lines of fenced blocks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    pages = [page.name for page in (ROOT / "docs" / "decisions").glob("0*.md")]
    assert [name for name in sorted(pages) if f"]({name})" not in index] == []


def test_settings_files_that_are_named_exist() -> None:
    named = {
        path
        for page in PAGES
        for path in re.findall(r"training/configs/[\w.-]+\.toml", page.read_text(encoding="utf-8"))
    }
    assert sorted(path for path in named if not (ROOT / path).is_file()) == []


def test_make_targets_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", text, re.MULTILINE))
    targets = {first or second for first, second in named}
    assert targets
    assert [target for target in sorted(targets) if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []


def test_commands_in_the_readme_exist_with_their_options() -> None:
    lines = [
        line[line.index("traghetto ") :]
        for line in code_lines(ROOT / "README.md")
        if re.search(r"\btraghetto [a-z]", line)
    ]
    commands: dict[tuple[str, ...], set[str]] = {}
    for line in lines:
        words = shlex.split(re.split(r"[<>|#]", line)[0])[1:]
        name = tuple(words[:2] if words[0] in ("corrections", "data", "keys", "models") else words[:1])
        commands.setdefault(name, set()).update(word for word in words if word.startswith("--"))
    assert len(commands) >= 6
    for name, options in commands.items():
        shown = in_process(*name, "--help")
        assert shown.returncode == 0, f"traghetto {' '.join(name)} is not a command"
        assert [option for option in sorted(options) if option not in shown.stdout] == [], name


def test_changelog_has_a_place_for_what_comes() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
