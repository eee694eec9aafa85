"""The formats of texts, and a plan for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from model.markup.building import plan_document
from model.markup.html import read_html
from model.markup.markdown import read_markdown
from model.markup.tokens import Document
from model.markup.xml import read_xml
from model.text.lines import Split
from model.text.plan import Plan, plan_text

Format = Literal["text", "html", "xml", "markdown"]
READERS: Mapping[Format, Callable[[str, Iterable[str]], Document]] = {
    "html": read_html,
    "xml": read_xml,
    "markdown": read_markdown,
}


def plan_as(format: Format, text: str, language: str, lines: Split = "auto", ignored: Iterable[str] = ()) -> Plan:
    """Take `text` apart, in `language`.

    Args:
        format: `text`, or the markup that it has.
        lines: whether the sentences of a `text` end with their lines: see `model.text.lines`.
        ignored: tags of markup whose content is not translated.
    """
    if format == "text":
        return plan_text(text, language, lines)
    return plan_document(READERS[format](text, ignored), language)
