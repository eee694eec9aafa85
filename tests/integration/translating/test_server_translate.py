"""`POST /v1/translate` and its neighbours, through the whole app with a fake translator: contract and bad input."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from databases import migrated
from fakes import FakeTranslator, ask, body, client_of, make_app, one, problem

from app.main import create_app
from app.settings import Settings


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    limits = {"max_chars": 500, "max_texts": 5, "max_request_chars": 800, "max_body_bytes": 4096}
    async with client_of(make_app(tmp_path, **limits)) as one:
        yield one


async def test_the_contract_of_one_text(client: httpx.AsyncClient) -> None:
    response = await ask(client, body("Ciao a tutti."))
    assert response.json() == {
        "translations": [
            {
                "text": "CIAO A TUTTI.",
                "source": "it",
                "target": "en",
                "model_version": "fake-1",
                "from_memory": False,
                "score": -0.25,
                "truncated": False,
            }
        ]
    }
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-content-type-options"] == "nosniff"


async def test_a_list_is_answered_in_order(client: httpx.AsyncClient) -> None:
    response = await ask(client, body(["uno", "", "due. tre.", "uno"]))
    assert [item["text"] for item in response.json()["translations"]] == ["UNO", "", "DUE. TRE.", "UNO"]


@pytest.mark.parametrize(
    "text", ["", "  ", "\n\n", "aa.  b!\n\n\n\tc?\r\n", " a b ", "riga\u2028altra", "e\u0301", "😀🚢", "1 2 3"]
)
async def test_separators_and_odd_texts_survive(client: httpx.AsyncClient, text: str) -> None:
    assert (await one(client, body(text)))["text"] == text.upper()


@pytest.mark.parametrize(
    ("text", "split", "wanted"),
    [
        ("- uno\n- due\n\ta) tre", "auto", "- UNO\n- DUE\n\ta) TRE"),
        ("ieri ho\nvisto il\nmare.", "auto", ["ieri ho\nvisto il\nmare."]),
        ("ieri ho\nvisto il\nmare.", "lines", ["ieri ho", "visto il", "mare."]),
        ("uno. due.\ntre", "none", ["uno. due.\ntre"]),
    ],
)
async def test_lines_are_kept_and_a_sentence_may_go_over_several(
    client: httpx.AsyncClient, text: str, split: str, wanted: str | list[str]
) -> None:
    answer = await one(client, body(text, split=split, details=True))
    assert answer["text"] == (wanted if isinstance(wanted, str) else text.upper())
    if not isinstance(wanted, str):
        assert [sentence["source_text"] for sentence in answer["details"]["sentences"]] == wanted


async def test_html_keeps_its_tags_and_everything_that_is_no_text(client: httpx.AsyncClient) -> None:
    page = (
        "<h1>uno &amp; due</h1>\n<p class='x'>tre <b>quattro</b>. cinque<br>sei</p><script>a<b</script><!-- sette -->"
    )
    answer = await one(client, body(page, format="html", details=True))
    wanted = (
        "<h1>UNO &amp; DUE</h1>\n<p class='x'>TRE <b>QUATTRO</b>. CINQUE<br>SEI</p><script>a<b</script><!-- sette -->"
    )
    assert answer["text"] == wanted
    sentences = answer["details"]["sentences"]
    assert [one_["source_text"] for one_ in sentences] == ["uno &amp; due", "tre <b>quattro</b>.", "cinque", "sei"]
    assert (await one(client, body("a < b", format="html")))["text"] == "A &lt; B"


async def test_the_language_of_html_is_that_of_its_text(client: httpx.AsyncClient) -> None:
    page = "<style>the a { the: the }</style><p data-a='ecco the .'>Il gatto dorme <i data-b=' the '>qui</i>.</p>"
    answer = await one(client, {"text": page, "source": "auto", "target": "en", "format": "html"})
    assert (answer["source"], answer["detected"]["language"]) == ("it", "it")


async def test_xml_and_markdown_keep_all_but_the_words(client: httpx.AsyncClient) -> None:
    xml = "<r><a>uno</a><k>due</k> <b x='tre'>quattro</b></r>"
    answer = await one(client, body(xml, format="xml", ignore_tags=["k"], details=True))
    assert answer["text"] == "<r><a>UNO</a><k>due</k> <b x='tre'>QUATTRO</b></r>"
    sentences = answer["details"]["sentences"]
    assert [xml[slice(*sentence["span"])] for sentence in sentences] == ["uno", "quattro"]
    text = "# uno\n\n> due **tre**\n> quattro `cinque`\n"
    answer = await one(client, body(text, format="markdown"))
    assert answer["text"] == "# UNO\n\n> DUE **TRE**\n> QUATTRO `cinque`\n"


async def test_attributes_that_people_read_are_translated(client: httpx.AsyncClient) -> None:
    page = "<p>uno <img alt='due tre' src='quattro'> <a title=\"l&apos;&quot;x\" id='y'>cinque</a></p>"
    answer = await one(client, body(page, format="html"))
    assert answer["text"] == "<p>UNO <img alt='DUE TRE' src='quattro'> <a title=\"L'&quot;X\" id='y'>CINQUE</a></p>"


async def test_spans_are_places_in_the_text_that_was_sent(client: httpx.AsyncClient) -> None:
    text = "  - uno due.  Tre!\n\tquattro"
    answer = await one(client, body(text, details=True))
    spans = [sentence["span"] for sentence in answer["details"]["sentences"]]
    assert [text[slice(*span)] for span in spans] == ["uno due.", "Tre!", "quattro"]


async def test_an_unknown_way_to_split_is_refused(client: httpx.AsyncClient) -> None:
    assert (await ask(client, body("uno", split="words"))).status_code == 422


async def test_an_empty_text_has_no_score_and_no_model(client: httpx.AsyncClient) -> None:
    answer = await one(client, body(""))
    assert (answer["score"], answer["model_version"]) == (None, None)


async def test_auto_detects(client: httpx.AsyncClient) -> None:
    answer = await one(client, {"text": "ciao", "source": "auto", "target": "en"})
    assert (answer["text"], answer["source"]) == ("CIAO", "it")
    assert answer["detected"] == {"language": "it", "confidence": 0.9}


async def test_auto_leaves_a_text_in_the_target_language_as_it_is(client: httpx.AsyncClient) -> None:
    text = "the cat sleeps over there.  Good"
    answer = await one(client, {"text": text, "source": "auto", "target": "en"})
    assert (answer["text"], answer["source"], answer["model_version"]) == (text, "en", None)


async def test_auto_looks_at_each_sentence(client: httpx.AsyncClient) -> None:
    text = "the cat sleeps over there.\nIl gatto invece dorme qui.\nBene"
    answer = await one(client, {"text": text, "source": "auto", "target": "en"})
    assert (answer["text"], answer["source"]) == ("the cat sleeps over there.\nIL GATTO INVECE DORME QUI.\nBene", "it")


async def test_who_asks_for_a_language_hardly_wrote_a_few_words_in_it(client: httpx.AsyncClient) -> None:
    answer = await one(client, {"text": "the cat", "source": "auto", "target": "en"})
    assert (answer["text"], answer["source"]) == ("THE CAT", "it")


async def test_a_text_in_neither_language_stays_as_it_is(client: httpx.AsyncClient) -> None:
    payload = {"text": ["Привет, как дела?", "12"], "source": "auto", "target": "en", "log_consent": True}
    first, second = (await ask(client, payload)).json()["translations"]
    assert (first["text"], first["source"], first["model_version"]) == ("Привет, как дела?", None, None)
    assert (first["detected"]["language"], first["logged"]) == (None, False)
    assert (second["source"], second["logged"]) == ("it", True)


async def test_auto_without_a_hint_takes_the_other_language(client: httpx.AsyncClient) -> None:
    answer = await one(client, {"text": "123", "source": "auto", "target": "en"})
    assert answer["source"] == "it"
    assert answer["detected"]["language"] is None


async def test_alternatives_join_the_sentences(client: httpx.AsyncClient) -> None:
    answer = await one(client, body("Uno. Due.", alternatives=2))
    assert answer["alternatives"] == [
        {"text": "UNO. (1) DUE. (1)", "score": -1.25},
        {"text": "UNO. (2) DUE. (2)", "score": -2.25},
    ]


async def test_beam_and_alternatives_set_the_search(tmp_path: Path) -> None:
    translator = FakeTranslator()
    async with client_of(make_app(tmp_path, translator)) as client:
        for more in ({}, {"beam": 1}, {"alternatives": 4}, {"beam": 2, "alternatives": 1}):
            await one(client, body("ciao", **more))
    assert [(search.beam, search.n_best) for search in translator.searches[1:]] == [(4, 1), (1, 1), (5, 5), (2, 2)]


async def test_details_show_sentences_and_words(client: httpx.AsyncClient) -> None:
    answer = await one(client, body("due parole. fine", details=True))
    first, second = answer["details"]["sentences"]
    assert first == {
        "source_text": "due parole.",
        "span": [0, 11],
        "text": "DUE PAROLE.",
        "score": -0.25,
        "from_memory": False,
        "correction_id": None,
        "truncated": False,
        "words": [
            {"text": "DUE", "confidence": 0.9, "source_words": [0]},
            {"text": "PAROLE.", "confidence": 0.9, "source_words": [1]},
        ],
        "alignment": [[0, 0], [1, 1]],
        "warnings": [],
    }
    assert second["source_text"] == "fine"


@pytest.mark.parametrize(
    ("payload", "field", "says"),
    [
        ({"source": "it", "target": "en"}, "text", "is required"),
        ({"text": "a", "target": "en"}, "source", "is required"),
        ({"text": "a", "source": "it"}, "target", "is required"),
        (body(5), "text", "must be a string or a list of strings"),  # type: ignore[arg-type]
        (body(None), "text", "must be a string or a list of strings"),  # type: ignore[arg-type]
        (body(["a", 7]), "text[1]", "must be a string"),  # type: ignore[list-item]
        (body([]), "text", "is an empty list"),
        (body(["a"] * 6), "text", "has 6 texts; at most 5 are allowed"),
        (body("x" * 501), "text", "has 501 characters; at most 500 are allowed"),
        (body(["a", "x" * 501]), "text[1]", "has 501 characters; at most 500 are allowed"),
        (body(["x" * 500] * 2), "text", "has 1000 characters in all; at most 800 are allowed"),
        (body("a\x00b"), "text", "holds the control character U+0000 at character 2"),
        (body(["a", "\x1b[0m"]), "text[1]", "holds the control character U+001B at character 1"),
        (body("a", beam=9), "beam", "is 9; at most 8 is allowed"),
        (body("a", beam=0), "beam", "must be greater than or equal to 1"),
        (body("a", beam=True), "beam", "must be a valid integer"),
        (body("a", beam="2"), "beam", "must be a valid integer"),
        (body("a", alternatives=6), "alternatives", "is 6; at most 5 are allowed"),
        (body("a", alternatives=-1), "alternatives", "must be greater than or equal to 0"),
        (body("a", alternatives=10**30), "alternatives", "at most 5 are allowed"),
        (body("a", format="rtf"), "format", "must be 'text', 'html', 'xml' or 'markdown'"),
        (body("a", details="yes"), "details", "must be a valid boolean"),
        (body("a", taget="it"), "taget", "is not a known field"),
        ({"text": "a", "source": "fr", "target": "en"}, "source", "must be 'it', 'en' or 'auto'"),
        ({"text": "a", "source": "it", "target": "auto"}, "target", "must be 'it' or 'en'"),
        ({"text": "a", "source": "en", "target": "en"}, "target", "is the same as source (en)"),
    ],
)  # fmt: skip
async def test_wrong_fields_are_named(client: httpx.AsyncClient, payload: dict, field: str, says: str) -> None:
    found = problem(await ask(client, payload), 422, "invalid-request")
    assert [error["field"] for error in found["errors"]] == [field]
    assert says in found["errors"][0]["message"]
    assert field in found["detail"]


async def test_all_wrong_fields_are_told_at_once(client: httpx.AsyncClient) -> None:
    found = problem(await ask(client, body(["\x00", "x" * 501], beam=99)), 422, "invalid-request")
    assert [error["field"] for error in found["errors"]] == ["beam", "text[0]", "text[1]"]
    assert [error.get("limit") for error in found["errors"]] == [8, None, 500]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"not json",
        b'{"text": NaN, "source": "it", "target": "en"}',
        b'{"text": "a", "source": "it", "target": "en", "beam": -Infinity}',
        b'{"text": "\\ud83d", "source": "it", "target": "en"}',
        b'{"text": "\\udc00 a", "source": "it", "target": "en"}',
        b'{"text": "\xff\xfe", "source": "it", "target": "en"}',
        b'{"text": "a\x01b", "source": "it", "target": "en"}',
        b"[" * 2000,
        b'["text"]',
        b"null",
        "perché".encode("utf-16"),
    ],
)
async def test_what_is_not_json_is_a_clear_400(client: httpx.AsyncClient, raw: bytes) -> None:
    response = await client.post("/v1/translate", content=raw, headers={"content-type": "application/json"})
    problem(response, 400, "malformed-json")


async def test_curl_without_a_content_type_works(client: httpx.AsyncClient) -> None:
    raw = json.dumps(body("ciao")).encode()
    response = await client.post(
        "/v1/translate", content=raw, headers={"content-type": "application/x-www-form-urlencoded"}
    )
    assert response.status_code == 200


async def test_a_declared_body_that_is_too_large_is_refused_unread(client: httpx.AsyncClient) -> None:
    response = await ask(client, body("x" * 5000))
    found = problem(response, 413, "body-too-large")
    assert "4096 bytes" in found["detail"]
    assert response.headers["connection"] == "close"


async def test_a_streamed_body_is_refused_as_soon_as_it_is_too_large(client: httpx.AsyncClient) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b"x" * 1024

    problem(await client.post("/v1/translate", content=endless()), 413, "body-too-large")
    assert sent < 100, "reading must stop at the limit"


@pytest.mark.parametrize(
    "text",
    [
        "parola " * 60,
        "a" * 500,
        "ahahahah" * 50,
        "<b>" * 150,
        "&" * 500,
        "the wrong language for this direction",
        "\u200b\u200f\ufeff",
        "🏴󠁧󠁢󠁥󠁮󠁧󠁿" * 20,
    ],
)
async def test_strange_but_legal_texts_are_answered(client: httpx.AsyncClient, text: str) -> None:
    assert (await one(client, body(text)))["text"] == text.upper()


async def test_a_direction_without_a_model_is_told(client: httpx.AsyncClient) -> None:
    response = await ask(client, {"text": "a", "source": "en", "target": "it"})
    found = problem(response, 422, "pair-unavailable")
    assert found["detail"] == "This server has no model for en-it; it has: it-en."


async def test_a_failing_model_is_a_500_and_the_server_lives(client: httpx.AsyncClient) -> None:
    problem(await ask(client, body("boom")), 500, "translation-failed")
    assert (await one(client, body("dopo")))["text"] == "DOPO"


async def test_a_fault_of_ours_is_a_500_without_details(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    migrated(settings.database)
    app = create_app(settings, lambda: {"it-en": FakeTranslator()}, detect=lambda _text: 1 / 0)
    async with client_of(app) as client:
        found = problem(await ask(client, body("segreto") | {"source": "auto"}), 500, "")
        assert "ZeroDivisionError" not in json.dumps(found)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing", 404), ("GET", "/v1/translate", 405), ("POST", "/", 405), ("GET", "/static/nothing.css", 404)],
)
async def test_other_http_errors_are_problems_too(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    problem(await client.request(method, path), status, "")
