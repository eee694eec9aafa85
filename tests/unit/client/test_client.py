"""The Python client, against servers that say what a test wants: retries, errors, long lists, what is sent and read."""

from __future__ import annotations

import asyncio
import inspect
import json
import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest
from traghetto_client import (
    ApiError,
    AsyncTraghetto,
    ConnectionFailed,
    FieldError,
    InvalidRequest,
    NotAuthorised,
    Settings,
    TooManyRequests,
    Traghetto,
    TraghettoError,
    Unavailable,
)
from traghetto_client.calls import batches, wait_s
from traghetto_client.errors import retry_after_s

KEY = "a-key-that-nobody-may-see"
PROPOSAL: Any = {
    "source": "it",
    "target": "en",
    "source_text": "Il faro è spento.",
    "machine_translation": "The light is off.",
    "corrected_translation": "The lighthouse is dark.",
}
CORRECTION = {
    "id": "1b4e28ba-2fa1-4d2f-883f-0016d3cca427", "status": "pending", "state": "pending", "reason": None,
    "source": "it", "target": "en", "created_at": "2026-11-25T09:30:00Z", "changed_at": "2026-11-25T10:30:00+01:00",
    "trained_in": [], "confirmations": 0,
}  # fmt: skip
Reply = httpx.Response | Exception
Handler = Callable[[httpx.Request], Reply]


class Server:
    """Answers each request by the next of `replies`, and by the last one ever after; keeps what it was sent."""

    def __init__(self, *replies: Reply | Handler) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []
        self.pauses: list[float] = []
        """What the client slept."""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        reply = self.replies[min(len(self.requests), len(self.replies)) - 1]
        found = reply(request) if callable(reply) else reply
        if isinstance(found, Exception):
            raise found
        # Of its own for each request: a response is read once.
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)

    async def answer(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)  # as a network lets others run
        return self(request)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


class Asked:
    """The same calls on either client: `Asked(server).translate(...)`; the kind is the test's parameter."""

    def __init__(self, kind: str, server: Server, base_url: str = "http://server.test", **more: Any) -> None:
        options = {k: more.pop(k) for k in list(more) if k in Settings.__dataclass_fields__}
        settings = Settings(**({"random": lambda: 0.5} | options))
        more |= {"settings": settings, "transport": httpx.MockTransport(server if kind == "sync" else server.answer)}
        if kind == "sync":
            self.client: Any = Traghetto(base_url, sleep=server.pauses.append, **more)
        else:
            self.client = AsyncTraghetto(base_url, sleep=server.sleep, **more)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            found = getattr(self.client, name)(*args, **kwargs)
            return asyncio.run(found) if inspect.iscoroutine(found) else found

        return call

    def end(self) -> None:
        if isinstance(self.client, Traghetto):
            self.client.close()
        else:
            asyncio.run(self.client.aclose())


@pytest.fixture(params=["sync", "async"])
def asked(request: pytest.FixtureRequest) -> Iterator[Callable[..., Asked]]:
    """`asked(server, key=..., tries=...)`: a client of it, blocking or not."""
    made: list[Asked] = []

    def make(server: Server, *args: Any, **more: Any) -> Asked:
        made.append(Asked(request.param, server, *args, **more))
        return made[-1]

    yield make
    for one in made:
        one.end()


def translated(request: httpx.Request) -> httpx.Response:
    """Upper-cases, as a server does that knows a field more than the client."""
    text = sent(request)["text"]
    texts = [text] if isinstance(text, str) else text
    shown = [{"text": text.upper(), "source": "it", "target": "en", "model_version": "m1", "from_memory": False,
              "score": -0.5, "truncated": False, "mood": "cheerful"} for text in texts]  # fmt: skip
    return httpx.Response(200, json={"translations": shown, "took_s": 0.1})


def problem(
    status: int, slug: str = "overloaded", headers: dict[str, str] | None = None, **more: Any
) -> httpx.Response:
    said = {"type": f"/problems/{slug}", "title": "No", "status": status, "detail": "Not now.", **more}
    media = {"Content-Type": "application/problem+json"}
    return httpx.Response(status, headers=media | (headers or {}), content=json.dumps(said))


def sent(request: httpx.Request) -> dict[str, Any]:
    return dict(json.loads(request.content))


# --- what is sent and read --------------------------------------------------------------------------------------------


def test_a_text_is_translated_with_what_was_asked_for(asked: Any) -> None:
    server = Server(translated)
    found = asked(server, key=KEY).translate("il mare è calmo", target="en", beam=1, ignore_tags=("code",))
    assert (found.text, found.model_version, found.score) == ("IL MARE È CALMO", "m1", -0.5)
    (request,) = server.requests
    assert sent(request) == {
        "text": "il mare è calmo", "source": "auto", "target": "en", "beam": 1, "ignore_tags": ["code"],
    }  # fmt: skip
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["content-type"] == "application/json"


def test_all_of_an_answer_is_read(asked: Any) -> None:
    word = {"text": "sea", "confidence": 0.9, "source_words": [1], "colour": "blue"}
    sentence = {
        "source_text": "il mare", "span": [0, 7], "text": "the sea", "score": None, "from_memory": True,
        "truncated": False, "correction_id": "c1", "words": [word], "alignment": [[1, 1]], "warnings": ["number"],
    }  # fmt: skip
    whole = {
        "text": "the sea", "source": None, "target": "en", "model_version": None, "from_memory": True, "score": None,
        "truncated": False, "correction_ids": ["c1"], "logged": True, "alternatives": [{"text": "sea", "score": -1.0}],
        "detected": {"language": None, "confidence": 0.2, "looks_like": "es"}, "details": {"sentences": [sentence]},
    }  # fmt: skip
    found = asked(Server(httpx.Response(200, json={"translations": [whole]}))).translate("il mare", target="en")
    assert found.details.sentences[0].words[0].source_words == (1,)
    assert found.details.sentences[0].alignment == ((1, 1),)
    assert (found.details.sentences[0].span, found.details.sentences[0].warnings) == ((0, 7), ("number",))
    assert (found.alternatives[0].text, found.detected.looks_like, found.correction_ids) == ("sea", "es", ("c1",))
    assert (found.source, found.logged) == (None, True)
    with pytest.raises(AttributeError):
        found.text = "another"


@pytest.mark.parametrize("base_url", ["http://server.test/prefix/", "http://server.test/prefix"])
def test_the_address_may_have_a_path(asked: Any, base_url: str) -> None:
    server = Server(translated)
    asked(server, base_url).translate("ciao", target="en")
    assert server.requests[0].url == "http://server.test/prefix/v1/translate"


def test_corrections_models_readiness_and_usage_are_read(asked: Any) -> None:
    correction = asked(Server(httpx.Response(201, json=CORRECTION | {"marks": None, "new": 1}))).correct(**PROPOSAL)
    assert correction.created_at == correction.changed_at == datetime(2026, 11, 25, 9, 30, tzinfo=UTC)
    assert (correction.id, correction.marks, correction.trained_in) == (CORRECTION["id"], (), ())

    server = Server(httpx.Response(200, json=CORRECTION))
    assert asked(server).correction("a/b").state == "pending"
    assert server.requests[0].url.raw_path == b"/v1/corrections/a%2Fb"

    model = {"pair": "it-en", "version": "m1", "current": True, "loaded": True, "status": "current", "size_bytes": 7}
    (found,) = asked(Server(httpx.Response(200, json={"models": [model], "rollback": {}}))).models()
    assert (found.version, found.size_bytes, found.scores) == ("m1", 7, ())

    usage = {
        "client": "a shop", "period": {"start": "2026-11-01", "end": "2026-12-01"},
        "characters": 1200, "requests": 3, "character_limit": None, "rates": {}, "documents": 0,
    }  # fmt: skip
    used = asked(Server(httpx.Response(200, json=usage))).usage()
    assert (used.characters, used.requests, used.character_limit, used.period.end) == (1200, 3, None, date(2026, 12, 1))


def test_not_ready_is_an_answer_and_no_error(asked: Any) -> None:
    state = {"status": "loading", "models": {}, "database": "ok", "detail": "The engine is loading.", "background": {}}
    server = Server(httpx.Response(503, json=state))
    assert asked(server).ready().status == "loading"
    assert len(server.requests) == 1
    with pytest.raises(Unavailable):
        asked(Server(httpx.Response(503, text="<h1>gone</h1>"))).ready()


def test_the_key_is_shown_nowhere(asked: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    client = asked(Server(problem(401, "not-authorised")), key=KEY)
    with pytest.raises(NotAuthorised) as raised:
        client.translate("ciao", target="en")
    assert "server.test" in repr(client.client)
    assert KEY not in repr(client.client) + repr(raised.value) + str(raised.value) + caplog.text


@pytest.mark.parametrize("key", [f"{KEY}\n", "chiave-è"])
def test_a_key_that_no_header_can_hold_is_refused_unseen(key: str) -> None:
    with pytest.raises(ValueError, match=r"^key: ") as raised:
        Traghetto(key=key)
    assert key.strip() not in str(raised.value)


@pytest.mark.parametrize("base_url", ["localhost:8000", "ftp://server.test", "/v1", "http://user:secret@server.test"])
def test_an_address_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match=r"^base_url: ") as raised:
        Traghetto(base_url)
    assert "secret" not in str(raised.value)


# --- long lists -------------------------------------------------------------------------------------------------------


def test_a_long_list_becomes_requests_in_order(asked: Any) -> None:
    texts = [f"riga {number}" for number in range(1010)]
    server = Server(translated)
    found = asked(server).translate(texts, target="en")
    assert [one.text for one in found] == [text.upper() for text in texts]
    sizes = sorted(len(sent(request)["text"]) for request in server.requests)
    assert sizes == [10] + 10 * [100]


def test_batches_hold_no_more_than_they_may() -> None:
    settings = Settings(max_texts=3, max_chars=10)
    cut = [list(batch) for batch in batches(["aaaa", "bbbb", "cc", "d", "", "", "", "e" * 20, "f"], settings)]
    assert cut == [["aaaa", "bbbb", "cc"], ["d", "", ""], [""], ["e" * 20], ["f"]]
    assert list(batches([], settings)) == []


def test_an_empty_list_asks_nobody(asked: Any) -> None:
    server = Server(translated)
    assert asked(server).translate([], target="en") == []
    assert server.requests == []


def test_a_tuple_is_a_list_and_one_text_in_a_list_stays_one(asked: Any) -> None:
    assert [one.text for one in asked(Server(translated)).translate(("a", "b"), target="en")] == ["A", "B"]
    assert [one.text for one in asked(Server(translated)).translate(["a"], target="en")] == ["A"]


def test_errors_name_the_text_of_the_whole_list(asked: Any) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        if "wrong" not in sent(request)["text"]:
            return translated(request)
        said = "has 10412 characters; at most 10000 are allowed"
        wrong = {"field": "text[1]", "message": said, "limit": 10000}
        return problem(422, "invalid-request", detail=f"text[1]: {said}", errors=[wrong])

    with pytest.raises(InvalidRequest) as raised:
        asked(Server(refuse), max_texts=2).translate(["a", "b", "c", "wrong", "d"], target="en")
    assert raised.value.errors[0].field == "text[3]"
    assert raised.value.detail.startswith("text[3]: has 10412")


async def test_only_some_requests_are_on_their_way_at_once() -> None:
    under_way, most = 0, 0

    async def answer(request: httpx.Request) -> httpx.Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001 if sent(request)["text"] == ["t0"] else 0)  # the first one is answered late
        under_way -= 1
        return translated(request)

    settings = Settings(max_texts=1, at_once=3)
    async with AsyncTraghetto(settings=settings, transport=httpx.MockTransport(answer)) as client:
        found = await client.translate([f"t{number}" for number in range(20)], target="en")
    assert [one.text for one in found] == [f"T{number}" for number in range(20)]
    assert most == 3


# --- failures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "failure",
    [problem(429), problem(503), httpx.Response(502, text="<html>Bad Gateway</html>"), httpx.Response(504),
     httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.ReadTimeout("late"),
     httpx.RemoteProtocolError("Server disconnected without sending a response.")],
    ids=["429", "503", "502", "504", "refused", "reset", "late", "disconnected"],
)  # fmt: skip
def test_what_may_pass_is_tried_again(asked: Any, failure: Reply) -> None:
    server = Server(failure, failure, translated)
    assert asked(server).translate("ciao", target="en").text == "CIAO"
    assert len(server.requests) == 3
    assert server.pauses == [0.25, 0.5]  # half of a bound that doubles


@pytest.mark.parametrize(
    ("status", "slug", "kind"),
    [
        (400, "malformed-json", InvalidRequest),
        (401, "not-authorised", NotAuthorised),
        (403, "forbidden", NotAuthorised),
        (404, "not-found", ApiError),
        (409, "conflict", ApiError),
        (413, "body-too-large", InvalidRequest),
        (422, "invalid-request", InvalidRequest),
        (429, "limit-reached", TooManyRequests),
        (500, "translation-failed", ApiError),
    ],
)
def test_what_does_not_pass_is_an_error_at_once(asked: Any, status: int, slug: str, kind: type[ApiError]) -> None:
    server = Server(problem(status, slug, errors=[{"field": "beam", "message": "is 99", "limit": 8, "unit": "paths"}]))
    with pytest.raises(TraghettoError) as raised:
        asked(server).correct(**PROPOSAL)
    error = raised.value
    assert type(error) is kind
    assert (error.status, error.title, error.detail, error.type) == (status, "No", "Not now.", slug)
    assert error.errors == (FieldError("beam", "is 99", 8),)
    assert str(error) == f"{status} No: Not now."
    assert (len(server.requests), server.pauses) == (1, [])


def test_retry_after_is_waited_for(asked: Any) -> None:
    server = Server(problem(429, headers={"Retry-After": "3"}), translated)
    assert asked(server).translate("ciao", target="en").text == "CIAO"
    assert server.pauses == [3.0]


def test_retry_after_may_be_a_date(asked: Any) -> None:
    moment = format_datetime(datetime.now(UTC) + timedelta(seconds=60), usegmt=True)
    server = Server(problem(429, headers={"Retry-After": moment}), translated)
    assert asked(server).translate("ciao", target="en").text == "CIAO"
    (pause,) = server.pauses
    assert 0 < pause <= 60


def test_who_is_asked_to_wait_too_long_is_told_at_once(asked: Any) -> None:
    server = Server(problem(429, headers={"Retry-After": "4"}))
    with pytest.raises(TooManyRequests) as raised:
        asked(server, max_wait_s=10).translate("ciao", target="en")
    assert server.pauses == [4.0, 4.0]  # a third would make twelve
    assert raised.value.retry_after_s == 4


def test_it_gives_up_after_so_many_tries(asked: Any) -> None:
    server = Server(problem(503))
    with pytest.raises(Unavailable):
        asked(server, tries=3).translate("ciao", target="en")
    assert (len(server.requests), len(server.pauses)) == (3, 2)


def test_no_connection_tells_where_and_why(asked: Any) -> None:
    refused = httpx.ConnectError("Connection refused")
    with pytest.raises(ConnectionFailed) as raised:
        asked(Server(refused), tries=1).translate("ciao", target="en")
    assert str(raised.value) == "POST http://server.test/v1/translate: ConnectError: Connection refused"
    assert raised.value.__cause__ is refused


def test_a_correction_has_one_key_however_often_it_is_sent(asked: Any) -> None:
    server = Server(httpx.ReadError("reset"), problem(503), httpx.Response(200, json=CORRECTION))
    client = asked(server)
    client.correct(**PROPOSAL)
    client.correct(**PROPOSAL)
    keys = [request.headers["idempotency-key"] for request in server.requests]
    assert len(set(keys[:3])) == 1
    assert len(set(keys)) == 2, "another correction must have a key of its own"
    assert sent(server.requests[2]) == PROPOSAL


@pytest.mark.parametrize(
    ("reply", "status", "says"),
    [
        (httpx.Response(502, html="<p>\n<b>Bad   Gateway</b>"), 502, "no answer of Traghetto's: <p> <b>Bad Gate"),
        (httpx.Response(200, html="<h1>Log in</h1>"), 200, "no answer of Traghetto's: <h1>Log in"),
        (httpx.Response(200, json={"translations": []}), 200, "no answer of Traghetto's"),
        (httpx.Response(200, json={"translations": [{"text": "a"}]}), 200, "no answer of Traghetto's"),
        (httpx.Response(200, content=b"null"), 200, "no answer of Traghetto's: null"),
        (httpx.Response(204), 204, "it is empty"),
        (httpx.Response(503, content=b"\xff\xfe\x00"), 503, "no answer of Traghetto's"),
        (httpx.Response(503, json={"title": 5, "errors": 7, "type": None}), 503, "503 5: "),
        (httpx.Response(422, json={"title": "No", "errors": [{"field": "x"}, 3]}), 422, "422 No: "),
        (httpx.Response(301, headers={"Location": "https://server.test/v1/translate"}), 301, "at https://server.test"),
    ],
)
def test_what_is_no_answer_of_ours_is_a_clear_error(asked: Any, reply: Reply, status: int, says: str) -> None:
    with pytest.raises(ApiError, match=f"^{status} ") as raised:
        asked(Server(reply), tries=1).translate("ciao", target="en")
    assert says in str(raised.value)


def test_the_first_failure_ends_a_list(asked: Any) -> None:
    server = Server(problem(422, "invalid-request"))
    with pytest.raises(InvalidRequest):
        asked(server, max_texts=1).translate([str(number) for number in range(50)], target="en")
    assert len(server.requests) <= 4


def test_errors_can_be_sent_to_another_process() -> None:
    error = InvalidRequest(422, "No", "x: is wrong", "invalid-request", (FieldError("x", "is wrong"),), 2.0)
    copy = pickle.loads(pickle.dumps(error))
    assert (type(copy), str(copy), copy.errors, copy.retry_after_s) == (InvalidRequest, str(error), error.errors, 2.0)


def test_a_lone_surrogate_is_sent_for_the_server_to_refuse(asked: Any) -> None:
    server = Server(problem(400, "malformed-json"))
    with pytest.raises(InvalidRequest):
        asked(server).translate("a\ud800", target="en")
    assert b"a\xed\xa0\x80" in server.requests[0].content


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("0", 0.0), ("120", 120.0), ("", None), ("-1", None), ("soon", None), ("1.5", None), ("²", None),
     ("Mon, 21 Sep 2026 13:33:25 GMT", 5.0), ("Mon, 21 Sep 2026 13:33:25 -0000", 5.0),
     ("Mon, 21 Sep 2026 13:33:00 GMT", 0.0), ("Mon, 99 Sep 2026 13:33:25 GMT", None), ("9" * 400, float("inf"))],
)  # fmt: skip
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after_s(value, datetime(2026, 9, 21, 13, 33, 20, tzinfo=UTC).timestamp()) == seconds


def test_waits_that_nobody_names_are_drawn_below_a_bound_that_doubles_to_its_end() -> None:
    settings = Settings(tries=99, max_wait_s=1000, random=lambda: 1.0)
    waits = [wait_s(ConnectionFailed(""), [0.0] * pauses, settings) for pauses in (0, 1, 2, 3, 4, 5, 97, 98)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, None]
    assert wait_s(ConnectionFailed(""), [1.0, 1.0], Settings(random=lambda: 0.0)) == 0.0
