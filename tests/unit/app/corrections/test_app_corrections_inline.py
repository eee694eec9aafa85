"""Segments of translation memories: text in their elements is kept, codes are not, and no word is lost or joined."""

from __future__ import annotations

import io

import pytest
from lxml import etree

from app.corrections.inline import Refused, plain
from app.corrections.records import Entry
from app.corrections.tmx import read_tmx

B, END_B = "&lt;b&gt;", "&lt;/b&gt;"


def text_of(inside: str) -> str:
    return plain(etree.fromstring(f"<seg>{inside}</seg>"))


def entries(*units: str, srclang: str = "it", pair: str | None = None, before: str = "") -> list[Entry]:
    body = "".join(units)
    file = f'{before}<tmx version="1.4"><header srclang="{srclang}"/><body>\n{body}</body></tmx>'
    return list(read_tmx(io.BytesIO(file.encode()), pair))


def unit(*texts: tuple[str, str]) -> str:
    variants = "".join(f'<tuv xml:lang="{code}"><seg>{text}</seg></tuv>\n' for code, text in texts)
    return f"<tu>\n{variants}</tu>\n"


# --- text ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ('Apri la <g id="1">finestra</g>.', "Apri la finestra."),
        ('Fai clic <hi>qui <hi type="x">ora</hi></hi>.', "Fai clic qui ora."),
        ('Il <mrk mtype="term">piano <g id="2">casa</g></mrk> vale.', "Il piano casa vale."),
        ('<pc id="1">Tutto</pc> <mrk>bene</mrk>', "Tutto bene"),
        ("H<sub>2</sub>O e <b>acqua</b>", "H2O e acqua"),
        ("im<g>possi</g>bile", "impossibile"),
        ('Apri<g id="1"> la</g> porta<!-- mai -->.', "Apri la porta."),
        ("senza  elementi ", "senza  elementi "),
    ],
)
def test_the_text_of_elements_is_kept(inside: str, expected: str) -> None:
    assert text_of(inside) == expected


# --- codes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        # they break the line
        (r"uno<ph>\n</ph>due", "uno due"),
        ("uno<ph>\n</ph>due", "uno due"),
        ("uno.<ph>&lt;br/&gt;</ph>Due", "uno. Due"),
        (
            "<bpt i='1'>&lt;p&gt;</bpt>uno<ept i='1'>&lt;/p&gt;</ept><it pos='begin'>&lt;li class='x'&gt;</it>due",
            "uno due",
        ),
        (r"uno<ut>\line </ut>due", "uno due"),
        ("uno<x id='1' ctype='lb'/>due", "uno due"),
        ("uno<br/>due", "uno due"),
        # they format
        (f"im<bpt i='1'>{B}</bpt>possi<ept i='1'>{END_B}</ept>bile", "impossibile"),
        (f"im<ph>{B}</ph>possi<ph>{END_B}</ph>bile", "impossibile"),
        (f"Premi <ph>{B}</ph>qui<ph>{END_B}</ph>.", "Premi qui."),
        (r"Il <bpt i='1'>{\b </bpt>gatto<ept i='1'>}</ept>.", "Il gatto."),
        # nothing is known of them
        ("uno<ph x='1'/>due", "uno due"),
        ("uno<x id='1'/><x id='2'/>due", "uno due"),
        ("(uno<ut>foo</ut>), <ph/>due<x/>.", "(uno), due."),
        # they hold a variable
        ("<ph>{0}</ph> posti", "{0} posti"),
        ("Ciao <ph type='var'>%1$s</ph>, hai <ph>{{ n }}</ph> messaggi", "Ciao %1$s, hai {{ n }} messaggi"),
        ("<it pos='begin'>${nome}</it> e <bpt i='1'>%s</bpt>", "${nome} e %s"),
        ("Salva <ph>%1</ph> di <ph>$totale</ph> in <ph>%HOME%</ph>", "Salva %1 di $totale in %HOME%"),
        ("Ci sono <ph>&lt;b&gt;{n}&lt;/b&gt;</ph> posti", "Ci sono {n} posti"),
        ("Vedi <ph>&lt;img src='{0}'/&gt;</ph> qui", "Vedi qui"),
    ],
)
def test_a_code_is_what_it_holds(inside: str, expected: str) -> None:
    assert text_of(inside) == expected


@pytest.mark.parametrize(
    ("inside", "word"),
    [
        ("Vedi<ph>\\footnote{<sub>una nota</sub>}</ph> qui.", "<ph>"),
        ("Un <parola>gatto</parola>.", "<parola>"),
        ("Un <x:parola xmlns:x='urn:x'><y>gatto</y></x:parola>.", "<parola>"),
    ],
)
def test_what_may_be_text_or_not_is_refused(inside: str, word: str) -> None:
    with pytest.raises(Refused, match=word):
        text_of(inside)
    (refused, good) = entries(unit(("it", inside), ("en", "A cat.")), unit(("it", "Un gatto."), ("en", "A cat.")))
    assert refused.record is None and word in refused.problem
    assert good.record is not None, "only the one unit is refused"


# --- entities ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("many", [0, 700])
def test_an_undeclared_entity_is_told_with_its_line_and_name(many: int) -> None:
    """Wherever it stands in the pieces that are read, whatever comes after it."""
    good = unit(("it", "Uno."), ("en", "One."))
    found = entries(*[good] * many, unit(("it", "Due&nbsp;tre."), ("en", "Two.")), *[good] * 700)
    assert len(found) == many + 1, "what stands before it is read"
    last = found[-1]
    assert (last.line, last.record) == (2 + 4 * many + 1, None)
    assert "&nbsp;" in last.problem and "not declared" in last.problem


def test_where_a_dtd_might_declare_it_only_the_unit_is_refused() -> None:
    good = unit(("it", "Uno."), ("en", "One."))
    doctype = '<!DOCTYPE tmx SYSTEM "tmx14.dtd">'
    before, refused, after = entries(good, unit(("it", "&egrave; qui"), ("en", "Here.")), good, before=doctype)
    assert before.record is not None and after.record is not None
    assert "&egrave;" in refused.problem


# --- two kinds of one language -------------------------------------------------------------------------------------


COLOURS = (("it-IT", "Colore"), ("en-GB", "Colour"), ("en-US", "Color"))


@pytest.mark.parametrize(
    ("texts", "srclang", "pair", "taken", "code"),
    [
        (COLOURS, "it", None, "Colour", "en-GB"),
        (COLOURS, "en-US", None, "Color", "en-US"),
        (COLOURS, "en_us", "it-en", "Color", "en-US"),
        (COLOURS, "*all*", "en-it", "Colour", "en-GB"),
        ((*COLOURS, ("en", "Colours")), "it", None, "Colours", "en"),
    ],
)
def test_of_two_kinds_of_english_one_is_taken_and_told(
    texts: tuple[tuple[str, str], ...], srclang: str, pair: str | None, taken: str, code: str
) -> None:
    (entry,) = entries(unit(*texts), srclang=srclang, pair=pair)
    assert entry.record is not None
    assert taken in (entry.record.source_text, entry.record.corrected_translation)
    codes = ", ".join(written for written, _ in texts[1:])
    assert entry.note == f"has different texts in {codes}; that in {code} was taken"


def test_the_same_text_twice_is_no_choice() -> None:
    (entry,) = entries(unit(("it", "Sì"), ("en-GB", "Yes"), ("en-US", "Yes")))
    assert entry.record is not None and entry.note == ""
    (refused,) = entries(unit(("it", "Sì"), ("en", "Yes"), ("en", "Yeah")))
    assert "two different texts in en" in refused.problem
