"""Do documents and strings of programs keep their structure when they are translated?

    python benchmarks/structure.py --pair en-it --html FOLDER --count 200
    python benchmarks/structure.py --pair en-it --markdown FOLDER
    python benchmarks/structure.py --pair en-it --strings FILE.tsv.gz --count 1000

Of a page the same tags, comments and others must come back, byte for byte but for what its attributes say to people:
blocks in the same order, inline tags as often and properly nested. Of a string each placeholder, address, tag and other
part that is kept, as often as in the source. What the answer itself flags is counted apart.
"""

from __future__ import annotations

import argparse
import gzip
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from model.markup.formats import READERS, Format, plan_as
from model.markup.tokens import Token
from model.text.kept.spans import find_spans
from model.translator import Translator
from model.versions.store import BUNDLED, find

MOST_CHARS = 60_000


def main() -> None:
    """Translate, compare, and print what differs."""
    options = _options()
    translator = Translator.load(find([BUNDLED], options.pair), "cpu")
    random.seed(options.seed)
    for format in ("html", "markdown"):
        if folder := getattr(options, format):
            _documents(translator, format, _files(folder, format, options.count))
    if options.strings:
        _strings(translator, _lines(options.strings, options.pair, options.count))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pair", default="en-it")
    parser.add_argument("--html", type=Path, help="folder with pages")
    parser.add_argument("--markdown", type=Path, help="folder with Markdown")
    parser.add_argument("--strings", type=Path, help="table of Italian and English strings, with gzip")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


def _files(folder: Path, format: str, count: int) -> list[tuple[str, str]]:
    paths = sorted(folder.rglob("*.html" if format == "html" else "*.md"))
    random.shuffle(paths)
    found: list[tuple[str, str]] = []
    for path in paths:
        if len(found) < count and path.is_file() and 0 < path.stat().st_size <= MOST_CHARS:
            try:
                found.append((str(path), path.read_bytes().decode()))
            except UnicodeDecodeError:
                continue
    return found


def _lines(path: Path, pair: str, count: int) -> list[str]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t")[:2] for line in file]
    side = 0 if pair.startswith("it") else 1
    return random.sample([row[side] for row in rows if len(row) == 2], min(count, len(rows)))


def _documents(translator: Translator, format: Format, files: Sequence[tuple[str, str]]) -> None:
    wrong = sentences = changed = 0
    for path, document in files:
        plan = plan_as(format, document, translator.source)
        changed += plan.joined([segment.text for segment in plan.segments]) != document
        translated = translator.translate_plans([plan])[0].text
        sentences += len(plan.sentences)
        before, after = READERS[format](document, ()).tokens, READERS[format](translated, ()).tokens
        for what, of in (("blocks", _blocks), ("tags", _tags), ("nesting", _faults)):
            if of(before) != of(after):
                wrong += 1
                print(f"{what} differ: {path}")
                break
    print(
        f"{format}: {len(files)} documents, {sentences} sentences; untranslated not byte for byte {changed}; ", end=""
    )
    print(f"structure wrong {wrong}")


def _bare(token: Token) -> str:
    """A tag without what its attributes say to people."""
    raw = token.raw
    for start, end in reversed(token.values):
        raw = raw[:start] + raw[end:]
    return raw


def _blocks(tokens: Sequence[Token]) -> list[str]:
    return [_bare(token) for token in tokens if token.kind != "text" and not token.inline]


def _tags(tokens: Sequence[Token]) -> Counter[str]:
    return Counter(_bare(token) for token in tokens if token.kind != "text")


def _faults(tokens: Sequence[Token]) -> int:
    """How many end tags do not end what was opened last."""
    open_: list[str] = []
    faults = 0
    for token in tokens:
        if token.kind == "start":
            open_.append(token.name)
        elif token.kind == "end":
            if open_ and open_[-1] == token.name:
                open_.pop()
            else:
                faults += 1
    return faults


def _strings(translator: Translator, lines: Sequence[str]) -> None:
    kept = flagged = lost = 0
    for line, translation in zip(lines, translator.translate(lines), strict=True):
        if _parts(line) == _parts(translation.text):
            kept += 1
        elif translation.warnings:
            flagged += 1
        else:
            lost += 1
            print(f"lost: {line!r}\n      {translation.text!r}")
    print(f"strings: {len(lines)}, {sum(bool(_parts(line)) for line in lines)} with such parts; ", end="")
    print(f"all kept {kept}, flagged {flagged}, lost {lost}")


def _parts(text: str) -> Counter[str]:
    return Counter(_of_text(text))


def _of_text(text: str) -> Iterator[str]:
    for span in find_spans(text):
        if span.kind != "amount":  # these come back in another notation
            yield text[span.start : span.end]


if __name__ == "__main__":
    main()
