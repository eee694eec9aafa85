"""Markdown: what people read is found, all else comes back byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from translations import with_hashes

from model.markup.formats import plan_as
from model.markup.markdown import read_markdown
from model.text.plan import Plan

PIECES = [
    "# ", "## ", "> ", "- ", "1. ", "* ", "**", "*", "_", "`", "``` \n", "[", "](", ")", "![", "\n", "\n\n", "  \n",
    "|", "|-|\n", "<b>", "</b>", "<div>\n", "\\", "\\*", "&amp;", "&egrave;", "ciao", " ", "Roma. ", "è", "[^1]",
    "[^1]: ", "[r]: u\n", "---\n", "~~", "- [ ] ", "http://a.b", "<http://a.b>", "\t", "\r\n", "<!--", "$x$", "🎉",
]  # fmt: skip


def plan_markdown(document: str) -> Plan:
    return plan_as("markdown", document, "it")


def shown(plan: Plan) -> list[str]:
    return list(map(with_hashes, plan.sentences))


@pytest.mark.parametrize(
    ("document", "sentences"),
    [
        ("# Il *primo* passo #\n\nPoi **il resto**. E basta.\n", ["Il #primo# passo", "Poi #il resto#.", "E basta."]),
        ("Vedi [la guida](https://a.b/c \"t\") e `make`.", ["Vedi #la guida# e #."]),
        ("> Una frase\n> che continua\n\n- uno\n- [x] due\n", ["Una frase\nche continua", "uno", "due"]),
        ("| a | b c |\n|---|:-:|\n| *d* | e |\n", ["a", "b c", "d", "e"]),
        ("```\nciao\n```\n\n    codice\n\nciao", ["ciao"]),
        ("---\ntitle: x\n---\nciao", ["ciao"]),
        ("![un gatto](g.png) nero", ["un gatto", "nero"]),
        ("<div title='Uno'>Due <b>tre</b></div>\n", ["Uno", "Due #tre#"]),
        ("Un <b>due</b> \\* &amp; tre", ["Un #due# * & tre"]),
        ("[Voce] e [altra][]\n\n[voce]: http://a\n[altra]: http://b\n", ["# e #"]),
        ("Prima riga  \nseconda[^1]\n\n[^1]: Una nota.\n", ["Prima riga", "seconda#", "Una nota."]),
    ],
)  # fmt: skip
def test_what_is_translated(document: str, sentences: list[str]) -> None:
    assert shown(plan_markdown(document)) == sentences


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
def test_tokens_joined_are_the_document(document: str) -> None:
    assert "".join(token.raw for token in read_markdown(document).tokens) == document


@pytest.mark.parametrize(
    "document",
    [
        "> **Uno** e\n> due \\* tre &amp; `x`. Poi\n> quattro [a](b).\n\n1. uno\n   due\n2. tre\n\n***\n",
        "| a | *b* |\n|--|:-:|\n| b | c \\| d |\n\nciao\n",
        "Setext\n======\n\n* a\n\n  b\n\n[x]: y 'z'\n\n<!-- c -->\n\n~~via~~ <http://a.b> a_b_c 2 * 3\r\nfine\r\n",
    ],
)
def test_what_is_not_translated_comes_back_byte_for_byte(document: str) -> None:
    plan = plan_markdown(document)
    assert plan.joined([one.text for one in plan.segments]) == document


def test_what_was_escaped_stays_so_in_the_translation() -> None:
    plan = plan_markdown("Il nome \\_a\\_ &lt;b&gt; & c")
    assert plan.sentences == ["Il nome _a_ <b> & c"]
    assert plan.joined(["The name _a_ <b> & c"]) == "The name \\_a\\_ &lt;b&gt; & c"


def test_lone_surrogates_are_no_error() -> None:
    plan = plan_markdown("uno \ud800 **due**")
    assert plan.joined([one.text for one in plan.segments]) == "uno \ud800 **due**"


@pytest.mark.parametrize(
    "piece", ["*a", "[", "> ", "- ", "`", "![](", "<b>", "|a", "\\", "&", "[a](", "**a* ", "  * a\n"]
)
@pytest.mark.timeout(60)
def test_no_document_takes_long(piece: str) -> None:
    plan_markdown(piece * (50_000 // len(piece)))
