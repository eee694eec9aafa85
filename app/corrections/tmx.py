"""Corrections as TMX 1.4b, the file format of translation memories. lxml reads and writes it, a part at a time.

Files come from strangers: nothing outside the file is ever opened, a file that declares entities is refused, and no
more of it is held than one translation unit of `MAX_UNIT_BYTES`. Why lxml: docs/decisions/0011-tmx-library.md.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from lxml import etree

from app.corrections.inline import Refused, plain
from app.corrections.records import Entry, Record, entry_of, language_code
from app.languages import LANGUAGES, OTHER

READ_BYTES = 65_536
MAX_UNIT_BYTES = 2_097_152
"""Of one translation unit with everything around it."""
XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
PROP_PREFIX = "x-traghetto-"
SINGLE_PROPS = (
    "machine_translation", "model_version", "status", "reason", "created_at", "changed_at", "reviewed_at",
)  # fmt: skip
LIST_PROPS = ("marks", "trained_in")
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ANY_SOURCE = "*all*"
ENTITY_NAME = re.compile("'([^']+)'")
"""In libxml2's message."""


# --- reading -------------------------------------------------------------------------------------------------------


def read_tmx(file: BinaryIO, pair: str | None = None) -> Iterator[Entry]:
    """Each translation unit of a TMX file, with the line it begins at.

    Args:
        file: from its beginning
        pair: the direction to read it in; by default each unit's own, from `srclang` to the other language

    A file that is not XML, or not any more from some line on, ends with an entry that says so.
    """
    reader = _Reader(_parser(), pair)
    try:
        while data := file.read(READ_BYTES):
            yield from reader.read(data)
        yield from reader.end()
    except etree.XMLSyntaxError as error:
        yield Entry(error.lineno or 1, None, f"not well-formed XML from here on: {' '.join(error.msg.split())}")
    except Refused as error:
        yield Entry(reader.line, None, str(error))


def _parser() -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=("end",), tag=("{*}header", "{*}tu"), resolve_entities=False, no_network=True, load_dtd=False,
        huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip


class _Reader:
    """Turns what the parser has read into entries, and frees it."""

    def __init__(self, parser: etree.XMLPullParser, pair: str | None) -> None:
        self._parser = parser
        self._pair = pair
        self._source: str | None = None
        self._unread = 0
        self.line = 1
        """Where the last unit begins."""

    def read(self, data: bytes) -> Iterator[Entry]:
        """The units that `data` completes."""
        self._unread += len(data)
        broken: etree.XMLSyntaxError | None = None
        try:
            self._parser.feed(data)
        except etree.XMLSyntaxError as error:
            broken = error  # what stands before it is whole
        for _, element in self._parser.read_events():
            yield from self._take(element)
        if broken is not None:
            raise broken
        self._refuse_undeclared()
        if self._unread > MAX_UNIT_BYTES:
            raise Refused(f"after this line comes a unit larger than {MAX_UNIT_BYTES} bytes; the rest is not read")

    def _refuse_undeclared(self) -> None:
        """An entity that nothing declares ends the reading, but lxml does not say so before it has forgotten where."""
        for error in self._parser.feed_error_log.filter_from_errors():
            if error.type == etree.ErrorTypes.ERR_UNDECLARED_ENTITY:
                self.line = error.line
                name = ENTITY_NAME.search(error.message)
                shown = f"&{name.group(1)};" if name else error.message
                raise Refused(f"not well-formed XML from here on: the entity {shown} is not declared")

    def end(self) -> Iterator[Entry]:
        """What is left at the end of the file."""
        root = self._parser.close()
        for _, element in self._parser.read_events():
            yield from self._take(element)
        if etree.QName(root).localname != "tmx":
            raise Refused(f"not a TMX file: its root is {etree.QName(root).localname}")

    def _take(self, element: Any) -> Iterator[Entry]:
        self._unread = 0
        self.line = element.sourceline or self.line
        _refuse_entities(element)
        if etree.QName(element).localname == "header":
            self._source = element.get("srclang")
        else:
            yield self._entry(element)
            _free(element)

    def _entry(self, unit: Any) -> Entry:
        try:
            values, note = _values(unit, self._pair, unit.get("srclang") or self._source)
            return entry_of(self.line, values)._replace(note=note)
        except Refused as error:
            return Entry(self.line, None, str(error))


def _refuse_entities(element: Any) -> None:
    dtd = element.getroottree().docinfo.internalDTD
    if dtd is not None and next(iter(dtd.iterentities()), None) is not None:
        raise Refused("the file declares entities; that is not needed in a TMX file, and not read")


def _free(unit: Any) -> None:
    """Forget a unit, and all that stands before it."""
    parent = unit.getparent()
    unit.clear()
    while parent is not None and (before := unit.getprevious()) is not None:
        parent.remove(before)


def _values(unit: Any, pair: str | None, srclang: str | None) -> tuple[dict[str, Any], str]:
    """The fields of a `Record`, and what was chosen."""
    found = _segments(unit)
    if missing := [language for language in LANGUAGES if language not in found]:
        raise Refused(f"has no text in {' and '.join(missing)}")
    segments, notes = {}, []
    for language in map(str, LANGUAGES):
        segments[language], note = _chosen(found[language], language, srclang)
        notes += [note] if note else []
    own = _own_pair(srclang)
    if (chosen := pair or own) is None:
        raise Refused("does not say which of its languages is the source (srclang); name the pair")
    source, _, target = chosen.partition("-")
    props = _props(unit) if own in (chosen, None) else {}  # the other way round it is another correction
    texts = [segments[language] if props else segments[language].strip() for language in (source, target)]
    own_fields = {"source": source, "target": target, "source_text": texts[0], "corrected_translation": texts[1]}
    return own_fields | props, "; ".join(notes)


def _own_pair(srclang: str | None) -> str | None:
    source = language_code(srclang)
    return f"{source}-{OTHER[source]}" if source in OTHER else None


def _segments(unit: Any) -> dict[str, dict[str, str]]:
    """Language -> its codes as they are written, such as `en-GB` -> text."""
    found: dict[str, dict[str, str]] = {}
    for variant in unit.iterchildren("{*}tuv"):
        code = (variant.get(XML_LANG) or variant.get("lang") or "").strip()
        segment = variant.find("{*}seg")
        if segment is None:
            continue
        language, text = language_code(code), plain(segment)
        same = found.setdefault(language, {})
        if same.setdefault(code, text) != text:
            raise Refused(f"has two different texts in {code}")
    return found


def _chosen(texts: dict[str, str], language: str, srclang: str | None) -> tuple[str, str]:
    """The text of one language, and what to say of the choice: that of `srclang` if there are several, else that
    without a country, else the first."""
    wanted = (_folded(srclang or ""), language)
    code = next((code for name in wanted for code in texts if _folded(code) == name), next(iter(texts)))
    others = [other for other, text in texts.items() if text != texts[code]]
    return texts[code], f"has different texts in {', '.join(texts)}; that in {code} was taken" if others else ""


def _folded(code: str) -> str:
    return code.strip().lower().replace("_", "-")


def _props(unit: Any) -> dict[str, Any]:
    """What `to_unit` has written about a correction besides its two texts."""
    values: dict[str, Any] = {}
    for prop in unit.iterchildren("{*}prop"):
        kind = prop.get("type") or ""
        name = kind.removeprefix(PROP_PREFIX) if kind.startswith(PROP_PREFIX) else ""
        if name in SINGLE_PROPS:
            values[name] = prop.text or ""
        elif name in LIST_PROPS:
            values.setdefault(name, []).append(prop.text or "")
    if values:
        values["id"] = unit.get("tuid")
    return values


# --- writing -------------------------------------------------------------------------------------------------------

END = b"</body>\n</tmx>\n"


def head(source: str | None = None) -> bytes:
    """What comes before the units.

    Args:
        source: the source language, if all units have the same
    """
    header = etree.Element(
        "header",
        {
            "creationtool": "Traghetto",
            "creationtoolversion": "1",
            "segtype": "sentence",
            "o-tmf": "Traghetto",
            "adminlang": "en",
            "srclang": source or ANY_SOURCE,
            "datatype": "plaintext",
        },
    )
    written: bytes = etree.tostring(header)
    return b'<?xml version="1.0" encoding="UTF-8"?>\n<tmx version="1.4">\n' + written + b"\n<body>\n"


def to_unit(record: Record) -> bytes:
    """A translation unit in UTF-8. Characters that XML does not have become U+FFFD."""
    dates = {"creationdate": record.created_at, "changedate": record.changed_at}
    attributes = {name: f"{value.astimezone(dt.UTC):%Y%m%dT%H%M%SZ}" for name, value in dates.items() if value}
    if record.id is not None:
        attributes["tuid"] = str(record.id)
    unit = etree.Element("tu", {**attributes, "srclang": record.source})
    values = record.model_dump(mode="json", include={*SINGLE_PROPS, *LIST_PROPS})
    for name in (*SINGLE_PROPS, *LIST_PROPS):
        for value in values[name] if name in LIST_PROPS else [values[name]]:
            if value:
                etree.SubElement(unit, "prop", {"type": PROP_PREFIX + name}).text = _writable(value)
    for language, text in ((record.source, record.source_text), (record.target, record.corrected_translation)):
        variant = etree.SubElement(unit, "tuv", {XML_LANG: language})
        etree.SubElement(variant, "seg").text = _writable(text)
    written: bytes = etree.tostring(unit, encoding="utf-8", xml_declaration=False, pretty_print=True)
    return written


def _writable(text: str) -> str:
    return NOT_IN_XML.sub("\ufffd", text)
