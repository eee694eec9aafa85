"""HTML: its sentences are found, all else comes back byte for byte, and no document takes long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from translations import with_hashes

from model.markup.formats import plan_as
from model.markup.html import read_html
from model.text.kept.guard import guard
from model.text.plan import Plan
from model.translation import Translation, Word

PIECES = [
    "<p>", "</p>", "<b>", "</b>", "<a href='x?a=1&b=2'>", "</a>", "<br>", "<img alt=x>", "<ul><li>", "</li></ul>",
    "<!-- ciao -->", "<script>a < b</script>", "<code>x y</code>", "<span translate='no'>ACME</span>", "&amp;",
    "&nbsp;", "&lt;", "&#160;", "&quot;", '"', "a & b", "x > y ", "<i title='Uno &amp; L&#39;uno. Poi'>", "ciao ",
    "Roma. ", "poi", "\n", " ",
]  # fmt: skip
HOSTILE = [
    "<a ",
    '<a b="',
    "<!--",
    "<![CDATA[",
    "</a ",
    "<?x",
    "&#",
    "<b>",
    "<p>a",
    "<div>",
    "<code>",
    "<b>a</b> ",
    "< ",
]


def plan_html(document: str, *ignored: str) -> Plan:
    return plan_as("html", document, "it", ignored=ignored)


def back(plan: Plan) -> str:
    return plan.joined([one.text for one in plan.segments])


def shown(plan: Plan) -> list[str]:
    """The sentences, with a `#` for each sign."""
    return list(map(with_hashes, plan.sentences))


@pytest.mark.parametrize(
    ("document", "sentences"),
    [
        ("<p>Leggi <b>qui</b>. Poi vai &amp; torna.</p>", ["Leggi #qui#.", "Poi vai & torna."]),
        ("<ul><li>uno</li><li>due <i>tre</i></li></ul>", ["uno", "due #tre#"]),
        ("<div translate=no>Non <b>questo</b></div><p>ma questo</p>", ["ma questo"]),
        ("Premi <code>a b</code> ora<!-- c -->", ["Premi # ora"]),
        ("<b>Ho <i>molta</i> fame.</b> <img src=x> <b>E tu?</b>", ["Ho #molta# fame.", "E tu?"]),
        ("<p title='Vai avanti' id='a'><img alt=\"L'uomo\"> qui</p>", ["Vai avanti", "L'uomo", "qui"]),
        ("Un <a title='Un aiuto' href='x'>link</a> utile", ["Un aiuto", "Un #link# utile"]),
        ("<meta name=description content='Una pagina'><meta name=robots content='noindex tutto'>", ["Una pagina"]),
        ("<input type=submit value='Invia ora'><input type=text value='x' placeholder='Nome'>", ["Invia ora", "Nome"]),
        ("<textarea placeholder='Scrivi qui'>testo</textarea>", ["Scrivi qui"]),
        ("<ul><li translate='NO'>Acme<li>uno</ul>due", ["uno", "due"]),
        ("<p>Vai a &prodotto; subito &copy;</p>", ["Vai a # subito ©"]),
        ("<p>Ciao <x-name>Anna</x-name>!</p>", ["Ciao #Anna#!"]),
        ("<p>Una frase\nche continua.<br>E poi</p>", ["Una frase\nche continua.", "E poi"]),
        ("<script>if (a<b) ciao()</script><style>p{}</style>", []),
        ("<b>aperto <i>male</b> fine", ["#aperto #male# fine"]),
        ("3 &lt; 4 e &lt;b&gt;", ["3 < 4 e <b>"]),
        ("<p>12</p><hr>", []),
        ("Clicca <i class='fa'></i> per salvare", ["Clicca # per salvare"]),
        ("Vedi <a href='u'><code>foo</code></a> per sapere", ["Vedi # per sapere"]),
        ("<p>Vedi <![1]> sotto</p>", ["Vedi # sotto"]),
        ("</>Ciao a tutti", ["Ciao a tutti"]),
    ],
)
def test_what_is_translated(document: str, sentences: list[str]) -> None:
    assert shown(plan_html(document)) == sentences


@given(st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_what_is_not_translated_comes_back_byte_for_byte(document: str) -> None:
    assert back(plan_html(document)) == document


@given(st.text(st.sampled_from("<>&;/!-abc \"'=\n[]?\U000f0001"), max_size=60))
def test_no_text_is_refused(document: str) -> None:
    plan = plan_html(document)
    assert plan.sentences == [one.text for one in plan.segments if one.text]
    assert back(plan_html("<p>a &lt; b</p>")) == "<p>a &lt; b</p>"


@given(st.lists(st.sampled_from(["<![", "</>", "<", ">", "<!", "a", " ", "<b>", "</", "]", "?", "-"])).map("".join))
def test_tokens_joined_are_the_document(document: str) -> None:
    assert "".join(token.raw for token in read_html(document).tokens) == document


def test_what_is_kept_whole_is_a_word_for_the_network() -> None:
    plan = plan_html("<p>Usa <code>ls</code> e <code>cd</code> oggi</p>")
    found = guard(plan.sentences[0], "it")
    assert found is not None
    assert [piece.text for piece in found.pieces] == ["Usa <ph0> e <ph1> oggi"]
    assert plan.encoded(0, "".join(found.pieces[0].spans)) == "<code>ls</code><code>cd</code>"
    assert plan.shown(plan.sentences[0]) == "Usa  e  oggi"


def test_signs_become_tags_wherever_the_translation_has_them() -> None:
    plan = plan_html("<p>Leggi <b>qui</b> &nbsp;ora</p>")
    first, second = (char for char in plan.sentences[0] if char >= "\U000f0000")
    assert plan.encoded(0, f"{first}Here{second} read\u00a0& go") == "<b>Here</b> read&nbsp;&amp; go"


def test_values_of_tags_are_translated_wherever_the_tags_are() -> None:
    plan = plan_html("<p title=\"&quot;Uno&quot;\">Un <a title='due'>tre</a> <img alt=quattro></p>")
    texts = {'"Uno"': '"One"', "due": "it's two", "quattro": "number four"}
    assert plan.joined([texts.get(one.text, one.text) for one in plan.segments]) == (
        "<p title=\"&quot;One&quot;\">Un <a title='it&#39;s two'>tre</a> <img alt=number&#32;four></p>"
    )


def test_each_sentence_knows_where_it_stands() -> None:
    document = "<p>Caff&egrave; <b>caldo</b>. <a title='Più'>Poi</a> via!</p>"
    plan = plan_html(document)
    assert [document[start:end] for start, end in sorted(plan.spans)] == [
        "Caff&egrave; <b>caldo</b>.", "<a title='Più'>Poi</a> via!", "Più",
    ]  # fmt: skip


def test_the_content_of_ignored_tags_stays() -> None:
    assert shown(plan_html("<p>Ciao <Q>Anna</Q> bella</p>", "q")) == ["Ciao # bella"]


def test_a_document_is_put_together_from_its_translations() -> None:
    plan = plan_html("<p>uno</p> <p>due</p>")
    said = [Translation(word, -0.5, (Word(word, 0.5, (0,)),)) for word in ("one", "two")]
    assert plan.put_together(said).text == "<p>one</p> <p>two</p>"


@pytest.mark.parametrize("piece", HOSTILE)
@pytest.mark.timeout(60)
def test_no_document_takes_long(piece: str) -> None:
    for document in (piece * (50_000 // len(piece)), piece * (50_000 // len(piece)) + ">"):
        plan_html(document)
