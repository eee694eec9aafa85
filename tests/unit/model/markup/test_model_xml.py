"""XML: elements are blocks or stand within a sentence by what is beside them, and all else comes back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from translations import with_hashes

from model.markup.formats import plan_as
from model.markup.xml import read_xml
from model.text.plan import Plan

PIECES = [
    "<?xml version='1.0'?>", "<a>", "</a>", "<B c='d>e'>", "</B>", "<x/>", "<![CDATA[ <a> & ]]>", "<!-- c -->", "ciao ",
    "Roma. ", "&amp;", "&lt;", "&marca;", "\n", "<?php echo '>'; ?>",
]  # fmt: skip


def plan_xml(document: str, *ignored: str) -> Plan:
    return plan_as("xml", document, "it", ignored=ignored)


def shown(plan: Plan) -> list[str]:
    return list(map(with_hashes, plan.sentences))


@pytest.mark.parametrize(
    ("document", "sentences"),
    [
        ("<note><to>Anna</to><body>Ci vediamo <b>domani <i>sera</i></b>.</body></note>",
         ["Anna", "Ci vediamo #domani #sera##."]),
        ("<r><s name='x'>Apri il file</s><s translatable='false'>Acme</s></r>", ["Apri il file"]),
        ("Ciao <x id='1'/> bella", ["Ciao # bella"]),
        ("<r><![CDATA[<p>non questo]]><p>questo</p></r>", ["questo"]),
        ("<r><script>Uno</script><title>Due</title></r>", ["Uno", "Due"]),
        ("<r><A>Uno</A><a>Due</a></r>", ["Uno", "Due"]),
        ("<!DOCTYPE a [<!ENTITY x ']>'> <!ENTITY y \"z\">]><a>uno</a>", ["uno"]),
        ("<p>Prova &marca; ora</p>", ["Prova # ora"]),
        ("<p>uno</b> due</p> tre", ["#uno# due# tre"]),
        ("<_a>uno <é/> due</_a><b>tre</b>", ["uno # due", "tre"]),
    ],
)  # fmt: skip
def test_what_is_translated(document: str, sentences: list[str]) -> None:
    assert shown(plan_xml(document)) == sentences


def test_the_content_of_ignored_tags_stays() -> None:
    assert shown(plan_xml("<p>Ciao <K>Anna</K> e <k>tu</k></p>", "K")) == ["Ciao # e #tu#"]


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_what_is_not_translated_comes_back_byte_for_byte(document: str) -> None:
    plan = plan_xml(document)
    assert "".join(token.raw for token in read_xml(document).tokens) == document
    assert plan.joined([one.text for one in plan.segments]) == document


@pytest.mark.parametrize("piece", ["<a>", "</a>", "<a>b", "<a><b>", "<![CDATA[", "<?", "<a b='", "&x;", "<a/>b "])
@pytest.mark.timeout(60)
def test_no_document_takes_long(piece: str) -> None:
    plan_xml(piece * (50_000 // len(piece)) + ">")
