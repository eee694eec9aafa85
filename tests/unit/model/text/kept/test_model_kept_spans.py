"""What must survive a translation is found, ordinary words and numbers are not, and no text takes long."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.text.kept.spans import MAY_HOLD, find_spans

FOUND = [
    ("Bentornata, {nome_utente}!", ["{nome_utente}"], "placeholder"),
    ("Mancano %(ore)d ore e {{ minuti }} minuti.", ["%(ore)d", "{{ minuti }}"], "placeholder"),
    ("Errore %1$s in ${cartella} (%s)", ["%1$s", "${cartella}", "%s"], "placeholder"),
    ("Ciao :nome, hai :count messaggi :smile:", [":nome", ":count", ":smile:"], "placeholder"),
    ("Vedi <x id='1'/> qui", ["<x id='1'/>"], "tag"),
    ("{n, plural, one {# pagina} other {# pagine}}", ["{n, plural, one {# pagina} other {# pagine}}"], "message"),
    ("Vai su https://casa.example/t?id={id} o https://casa.example/Roma_(città).",
     ["https://casa.example/t?id={id}", "https://casa.example/Roma_(città)"], "address"),
    ("(vedi https://casa.example/b), [https://casa.example/c]!", ["https://casa.example/b", "https://casa.example/c"],
     "address"),
    ("Scrivi a io@casa.example o apri https://casa.example/a?b=1.", ["io@casa.example", "https://casa.example/a?b=1"],
     "address"),
    ("Leggilo su giornale.it domani.", ["giornale.it"], "host"),
    ("Ciao @anna_b, ti aspetto #mare2024", ["@anna_b", "#mare2024"], "mention"),
    ("Apri note_v3.txt o /etc/hosts o src/app/main.py o C:\\Temp\\a.log", ["note_v3.txt", "/etc/hosts",
     "src/app/main.py", "C:\\Temp\\a.log"], "path"),
    ("Metti *.bak in .gitignore, foto/mare/ e \\\\server\\foto", ["*.bak", ".gitignore", "foto/mare/",
     "\\\\server\\foto"], "path"),
    ("Pesa 12 kg e 3,5 g, va a 90 km/h per 5 km.", ["12 kg", "3,5 g", "90 km/h", "5 km"], "amount"),
    ("Scrivi `make test` qui", ["`make test`"], "code"),
    ("Premi Ctrl+Shift+P.", ["Ctrl+Shift+P"], "keys"),
    ("Chiama +39 06 1234 5678, 02 12345678 o 333 1234567.", ["+39 06 1234 5678", "02 12345678", "333 1234567"],
     "phone"),
    ("Dalla 2.13.0 alla v3 e alla v1.4", ["2.13.0", "v3", "v1.4"], "version"),
    ("Ho speso 1.234,50 €/mese", ["1.234,50 €"], "amount"),
    ("Costa €75, $1,250.50 o 12 £ a -12 °C e 30°", ["€75", "$1,250.50", "12 £", "-12 °C", "30°"], "amount"),
    ("Da £3m a $1.2 million, 3 milioni di €, CHF 12.50, €12.50/kg, $12-15", ["£3m", "$1.2 million", "3 milioni di €",
     "CHF 12.50", "€12.50/kg", "$12-15"], "amount"),
    ("At 8:30 am or 7 p.m. or 3pm or 9 a.m.!", ["8:30 am", "7 p.m.", "3pm", "9 a.m."], "amount"),
    ("Chiama __init__ ora", ["__init__"], "message"),
    ("Un'asse di 30x40 cm", ["30x40 cm"], "amount"),
    ("Del {d, date, long} {a, select, si {Ciao {nome}} other {{b, plural, one {# c} other {# d}}}}", ["{d, date, long}",
     "{a, select, si {Ciao {nome}} other {{b, plural, one {# c} other {# d}}}}"], "message"),
    ("<%= a.b %> {% if x %} [[sito]] @@n@@ __NOME__ $nome$ $FILE %NOME% &nome; Errore:\\n", ["<%= a.b %>", "{% if x %}",
     "[[sito]]", "@@n@@", "__NOME__", "$nome$", "$FILE", "%NOME%", "&nome;", "\\n"], "message"),
    ("Va su 127.0.0.1:8080/api o mailto:a@b.example", ["127.0.0.1:8080/api", "mailto:a@b.example"], "address"),
    ("Il codice RSSMRA80A01H501U, volo B12, conto GB29 NWBK 6016 1331 9268 19", ["RSSMRA80A01H501U", "B12",
     "GB29 NWBK 6016 1331 9268 19"], "reference"),
    ("Lancia x.run() con --porta=9000", ["x.run()", "--porta=9000"], "reference"),
    ("½ litro, 1¾ tazze, x² e CO₂", ["½", "1¾", "x²", "CO₂"], "figures"),
    ("Łukasz dice привет e 日本 α", ["Łukasz", "привет", "日本", "α"], "foreign"),
    ("Ti amo <3, File > Stampa › Altro » ora, A -> B, x >= y, § 3 † ±", ["<3", ">", "›", "»", "A -> B", ">=", "§", "†",
     "±"], "symbol"),
    ("Bello 🎉🎉 e 👨‍👩‍👧 in 🇮🇹 👍🏽 1️⃣ → © ora", ["🎉🎉", "👨‍👩‍👧", "🇮🇹", "👍🏽", "1️⃣", "→", "©"], "symbol"),
]  # fmt: skip
NONE = [
    "Il museo resta chiuso il lunedì; l'altro no: peccato!",
    "Ho pagato 1.350,20 euro e 10.000.000 di lire, il 3/4 o il 12/05/2024 alle 9:30.",
    "Va in km/h, e/o piano, 3 l'ora, 5 mele: 100% sicuro, 50 % di sconto.",
    "C++ e C# di A.B. Rossi, U.S.A. (2018), ecc.",
    "Lo stipendio al mese: 1.234,50 euro/mese",
    "Lo chiama `bello,' con una lunga `e.'",
    "Disse:«Vieni».Poi tacque... AT&T @ casa",
    "Nel 2020 ha vinto 10mila euro, un 20enne nel 50esimo; nel 44 a.c. c'era, ok.c'ero",
    "Il 22nd, 10th, 80s, 3x e in due; c'è «ecco» – già… perche' no",
    "ﬁne, e\u0301, \U0001d402iao, E´ bello, Müller e Peña",
]
PIECES = [
    "{a, plural, one {",
    "{{",
    "<%",
    "[[",
    "$a",
    "Aa1",
    "ż",
    "aż-",
    "²",
    "> ",
    "1 am ",
    "€1-",
    "1x",
    "A -",
    "GB29 ",
    "+1234567890",
    "1",
    "(1)",
    "{",
    "}",
    "{n, plural,",
    "<a ",
    "`",
    "%(",
    ":a_",
    "@a.",
    "#",
    "a/",
    "/",
    "1.",
    "+1 ",
    "0 ",
    "a.b-",
    "-",
    "👨‍",
    "\\",
    "Ctrl+",
]


@pytest.mark.parametrize(
    ("text", "wanted", "kind"),
    FOUND,
)
def test_what_is_not_translated_is_found(text: str, wanted: list[str], kind: str) -> None:
    found = find_spans(text)
    assert [text[span.start : span.end] for span in found] == wanted
    assert {span.kind for span in found} == {kind}


@pytest.mark.parametrize("text", NONE)
def test_words_numbers_and_marks_are_no_spans(text: str) -> None:
    assert find_spans(text) == []


@given(st.text(st.sampled_from(string.printable + "èÀ€🎉→©\u200d\ufe0f"), max_size=60))
def test_spans_are_in_order_and_the_quick_look_misses_none(text: str) -> None:
    spans = find_spans(text)
    places = [place for span in spans for place in (span.start, span.end)]
    assert places == sorted(places)
    assert all(span.start < span.end for span in spans)
    if MAY_HOLD.search(text) is None:
        assert find_spans(f"{text}. {{x}}") == find_spans(f"{' ' * len(text)}. {{x}}")


@pytest.mark.parametrize("piece", PIECES)
@pytest.mark.timeout(60)
def test_no_text_takes_long(piece: str) -> None:
    """A pattern that goes back and forth would take hours for so much."""
    find_spans(piece * (250_000 // len(piece)))
