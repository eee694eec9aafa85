"""`traghetto translate` of whole documents, by a tiny real model: all but the words comes out as it was."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_kit import Ended, as_program, failed, succeeded

TAG = re.compile("<[^>]*>")
PAGE = "<!DOCTYPE html>\n<h1>Il gatto</h1>\n<p>Il <b>cane</b> dorme.\n<pre> il  gatto </pre><!-- il cane -->"


def translate(data_dir: Path, *options: str, stdin: str | bytes) -> Ended:
    command = ("translate", "--pair", "it-en", "--device", "cpu", *options)
    return as_program(*command, stdin=stdin, TRAGHETTO_DATA_DIR=str(data_dir))


def test_a_page_keeps_its_tags(tiny_data_dir: Path) -> None:
    result = translate(tiny_data_dir, "--format", "html", stdin="\ufeff" + PAGE)
    answer = succeeded(result)
    assert answer.startswith("\ufeff<!DOCTYPE html>\n<h1>"), "the byte order mark is the document's"
    assert TAG.findall(answer) == TAG.findall(PAGE)
    assert answer.endswith("<pre> il  gatto </pre><!-- il cane -->")


def test_ignored_tags_keep_their_content(tiny_data_dir: Path) -> None:
    answer = succeeded(
        translate(tiny_data_dir, "-f", "xml", "--ignore-tag", "k", stdin="<r><k>il gatto</k><a>il cane</a></r>")
    )
    assert answer.startswith("<r><k>il gatto</k><a>")
    assert answer.endswith("</a></r>")


def test_markdown_keeps_its_marks(tiny_data_dir: Path) -> None:
    answer = succeeded(
        translate(tiny_data_dir, "-f", "markdown", stdin="# Il gatto\n\n- il cane\n\n```\nil gatto\n```\n")
    )
    assert re.fullmatch(r"# .+\n\n- .+\n\n```\nil gatto\n```\n", answer)


@pytest.mark.parametrize("split", ["auto", "none"])
def test_a_text_may_be_one_document(tiny_data_dir: Path, split: str) -> None:
    answer = succeeded(translate(tiny_data_dir, "--split", split, stdin="\n\n  Il gatto dorme.\r\n\t- il cane\n\n"))
    assert answer.startswith("\n\n  ")
    assert answer.endswith("\n\n")
    assert ("\r\n\t- " in answer) == (split == "auto")


def test_what_cannot_be_read_is_refused(tiny_data_dir: Path) -> None:
    failed(translate(tiny_data_dir, "--split", "auto", stdin=b"caff\xe8"), 2, "not UTF-8", "0xE8 at 5")
    failed(translate(tiny_data_dir, "--ignore-tag", "b", stdin="ciao"), 2, "text has no tags")
