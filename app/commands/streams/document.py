"""A document, which is read whole: all but its words comes out as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

import typer

from app.commands.streams.bar import Advance, nobody, progress
from app.commands.streams.files import Files
from app.commands.streams.stream import Tally
from app.corpora.files.lines import BYTE_ORDER_MARK, READ_BYTES

if TYPE_CHECKING:
    from model.config import SearchConfig
    from model.markup.formats import Format
    from model.text.lines import Split
    from model.text.plan import Plan
    from model.translator import Translation, Translator

AT_ONCE = 256
"""Sentences that are translated together, and between which the bar moves."""


def translate_document(
    files: Files, translator: Translator, search: SearchConfig, taken_as: tuple[Format, Split, Sequence[str]]
) -> Tally:
    """Translate a document, `taken_as` its format, what ends its sentences, and tags that are ignored.

    Raises:
        BadParameter: it is not UTF-8.
        OSError: it cannot be read, or the translation not be written.
    """
    from model.markup.formats import plan_as

    (format, lines, ignored), (mark, text) = taken_as, _read(files)
    plan = plan_as(format, text, translator.source, lines, ignored)
    with progress(files, "sentences", sum(map(len, plan.sentences))) as advance:
        text, tally = translate_plan(plan, lambda texts: translator.translate_sentences(texts, search), advance)
    with closing(files.open_target()) as target:
        target.write((mark + text).encode())
    return tally


def translate_plan(
    plan: Plan, translate_sentences: Callable[[Sequence[str]], Sequence[Translation]], advance: Advance = nobody
) -> tuple[str, Tally]:
    """Translate the sentences of a document piece by piece, and put it together again."""
    translations: list[Translation] = []
    sentences, position = plan.sentences, 0
    for start in range(0, len(sentences), AT_ONCE):
        piece = sentences[start : start + AT_ONCE]
        translations += translate_sentences(piece)
        position += sum(map(len, piece))
        advance(len(piece), position)
    truncated = sum(translation.truncated for translation in translations)
    return plan.put_together(translations).text, Tally(len(sentences), truncated)


def _read(files: Files) -> tuple[str, str]:
    """All of the input: its byte order mark, if it has one, and its text."""
    with closing(files.open_source()) as source:
        data = b"".join(iter(lambda: source.read(READ_BYTES), b""))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        found = f"byte 0x{data[error.start]:02X} at {error.start + 1}"
        raise typer.BadParameter(f"the input is not UTF-8: {found}; convert it first, such as with iconv") from None
    mark = BYTE_ORDER_MARK if text.startswith(BYTE_ORDER_MARK) else ""
    return mark, text.removeprefix(mark)
