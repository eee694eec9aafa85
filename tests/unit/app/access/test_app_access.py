"""Who may do what: keys, this machine's owner, and everything that a web page could forge."""

from __future__ import annotations

from typing import Any, get_args
from uuid import uuid4

import pytest
from starlette.requests import Request

from app.access.access import Access
from app.access.client import Client
from app.access.rates import Rates
from app.commands.keys import KeyScope
from app.errors import AdminClosed, Forbidden, InvalidRequest, NotAuthorised, SettingsError, UnsupportedBody
from app.metrics import Metrics
from app.scopes import ALL_SCOPES, SCOPES, Scope
from app.settings import Settings, load_settings

ADMIN_KEY = "0123456789abcdef"
TOKEN = "a session of mine"
Headers = dict[str, str]


class FakeKeys:
    """The key `good` belongs to a client with `scopes`."""

    def __init__(self, *scopes: Scope) -> None:
        self.client = Client("key of a friend", frozenset(scopes), key_id=uuid4())
        self.asked: list[str] = []

    def is_known(self, key: str) -> bool:
        return False

    async def find(self, key: str) -> Client | None:
        self.asked.append(key)
        return self.client if key == "good" else None


def request(method: str = "GET", headers: Any = (), **scope: Any) -> Request:
    """A request straight from this machine for http://127.0.0.1:8000; a list of `headers` may repeat one."""
    pairs = list(headers.items()) if isinstance(headers, dict) else list(headers)
    if "host" not in {name.lower() for name, _ in pairs}:
        pairs.append(("Host", "127.0.0.1:8000"))
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs]
    defaults = {"type": "http", "http_version": "1.1", "path": "/", "client": ("127.0.0.1", 51000)}
    return Request({**defaults, "method": method, "headers": raw, **scope})


def access(keys: FakeKeys | None = None, **settings: Any) -> Access:
    made = Settings(**settings)
    return Access(made, keys or FakeKeys(), Rates(made, Metrics()))


def test_the_command_knows_the_scopes() -> None:
    assert tuple(one.value for one in KeyScope) == SCOPES == get_args(Scope)


@pytest.mark.parametrize("held", [("translate",), ("correct",), ("review",), ("correct", "review"), SCOPES])
@pytest.mark.parametrize("needed", SCOPES)
async def test_a_key_opens_what_its_scopes_say(held: tuple[Scope, ...], needed: Scope) -> None:
    keys = FakeKeys(*held)
    asked = access(keys).require(request(headers={"Authorization": "Bearer good"}), needed)
    if needed in held:
        assert await asked is keys.client
        return
    with pytest.raises(Forbidden, match=f"scope '{needed}'"):
        await asked


@pytest.mark.parametrize("scope", SCOPES)
async def test_the_admin_key_opens_everything_and_asks_no_database(scope: Scope) -> None:
    keys = FakeKeys()
    server = access(keys, admin_key=ADMIN_KEY, host="0.0.0.0")
    client = await server.require(request(headers={"Authorization": f"bearer {ADMIN_KEY}"}), scope)
    assert (client.name, client.scopes, client.key_id, keys.asked) == ("admin key", ALL_SCOPES, None, [])


@pytest.mark.parametrize(
    "authorization",
    ["Bearer wrong", "Bearer", "Bearer ", "good", "Token good", "", f"Bearer {ADMIN_KEY}x", f"Bearer {ADMIN_KEY[:-1]}"],
)
@pytest.mark.parametrize("scope", SCOPES)
async def test_a_wrong_key_is_refused_even_for_what_is_open(authorization: str, scope: Scope) -> None:
    server = access(FakeKeys("admin"), admin_key=ADMIN_KEY)
    with pytest.raises(NotAuthorised) as refused:
        await server.require(request(headers={"Authorization": authorization}), scope)
    assert ADMIN_KEY not in str(refused.value)
    with pytest.raises(NotAuthorised):
        await server.require(request("POST", {"Authorization": authorization}), "translate")


async def test_two_authorization_headers_are_refused() -> None:
    both = [("Authorization", "Bearer good"), ("Authorization", "Bearer other")]
    with pytest.raises(NotAuthorised):
        await access(FakeKeys(*SCOPES)).require(request(headers=both), "admin")


async def test_without_a_key_the_open_scopes_are_open() -> None:
    server = access(admin_key=ADMIN_KEY, host="0.0.0.0")
    for scope in ("translate", "correct"):
        client = await server.require(request(), scope)  # type: ignore[arg-type]
        assert (client.name, client.scopes) == ("anonymous", {"translate", "correct"})
    for scope in ("review", "admin"):
        with pytest.raises(NotAuthorised, match=f"traghetto keys create NAME --scope {scope}") as refused:
            await server.require(request(), scope)  # type: ignore[arg-type]
        assert type(refused.value) is NotAuthorised


def test_a_stranger_is_who_has_no_key_and_is_not_surely_the_owner() -> None:
    """Whose consented texts are limited."""
    mine, open_to_all = access(), access(admin_key=ADMIN_KEY, host="0.0.0.0")
    assert not mine.is_stranger(request("POST"))
    assert mine.is_stranger(request("POST", {"X-Forwarded-For": "192.0.2.1"})), "it came through a proxy"
    assert open_to_all.is_stranger(request("POST"))
    assert open_to_all.is_stranger(request("POST", {"Authorization": "Basic eDp5"})), "that is a proxy's"
    assert not open_to_all.is_stranger(request("POST", {"Authorization": "Bearer good"}))


@pytest.mark.parametrize("scope", ["translate", "correct"])
async def test_open_scopes_can_be_closed(scope: Scope) -> None:
    keys = FakeKeys(scope)
    server = access(keys, open_scopes="none", admin_key=ADMIN_KEY)
    with pytest.raises(NotAuthorised):
        await server.require(request(), scope)
    assert await server.require(request(headers={"Authorization": "Bearer good"}), scope) is keys.client


async def test_translation_is_looked_at_only_where_it_must_be() -> None:
    keys = FakeKeys("review")
    await access(keys, admin_key=ADMIN_KEY).require(request("POST", {"Origin": "https://foreign.example"}), "translate")
    assert keys.asked == []
    with pytest.raises(Forbidden, match="'translate'"):
        await access(keys).require(request("POST", {"Authorization": "Bearer good"}), "translate")
    with pytest.raises(NotAuthorised):
        await access(open_scopes="correct", admin_key=ADMIN_KEY).require(request("POST"), "translate")
    await access(open_scopes="correct").require(request("POST"), "translate")  # the owner of this machine


@pytest.mark.parametrize("value", ["", "review", "translate,admin", "none,translate", "all"])
def test_wrong_open_scopes_are_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="TRAGHETTO_OPEN_SCOPES"):
        load_settings(open_scopes=value)
    assert load_settings(open_scopes="correct, translate").open_to_all == {"translate", "correct"}
    assert load_settings(open_scopes="none").open_to_all == set()


@pytest.mark.parametrize("value", ["https://a.example", "a.example:443", "*", "a.example,", "a b"])
def test_wrong_allowed_hosts_are_refused(value: str) -> None:
    with pytest.raises(SettingsError, match="TRAGHETTO_ALLOWED_HOSTS"):
        load_settings(allowed_hosts=value)
    assert load_settings(allowed_hosts="A.example, b.example").hosts_allowed == {"a.example", "b.example"}


# --- this machine's owner -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(
    ("listens", "peer"), [("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("::1", "::1"), ("127.0.0.5",) * 2]
)
async def test_the_owner_of_the_machine_may_do_everything(scope: Scope, listens: str, peer: str) -> None:
    client = await access(host=listens).require(request("POST", client=(peer, 51000)), scope)
    assert (client.name, client.scopes, client.trusted) == ("local", ALL_SCOPES, False)


@pytest.mark.parametrize(
    "come",
    [
        {"client": ("192.168.1.7", 51000)},
        {"client": None},
        {"client": ("testclient", 51000)},
        {"http_version": "1.0"},
        {"headers": {"X-Forwarded-For": "203.0.113.9"}},
        {"headers": {"X-Forwarded-Proto": "https"}},
        {"headers": {"Forwarded": "for=203.0.113.9"}},
        {"headers": {"Via": "1.1 proxy"}},
        {"headers": {"X-Real-IP": "203.0.113.9"}},
        {"headers": {"CF-Connecting-IP": "203.0.113.9"}},
        {"headers": {"Authorization": "Basic dXNlcjpwYXNz"}},
    ],
    ids=str,
)
async def test_whoever_may_come_from_elsewhere_is_no_owner(come: dict[str, Any]) -> None:
    server = access()
    assert (await server.require(request(**come), "correct")).name == "anonymous"
    for scope in ("review", "admin"):
        with pytest.raises(AdminClosed, match=f"keys create NAME --scope {scope}"):
            await server.require(request(**come), scope)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings", [{"admin_key": ADMIN_KEY}, {"host": "0.0.0.0"}, {"host": ""}, {"allowed_hosts": "a.example"}], ids=str
)
async def test_a_server_with_an_admin_key_or_for_others_has_no_owner(settings: dict[str, Any]) -> None:
    for host in ("127.0.0.1:8000", "a.example"):
        with pytest.raises(NotAuthorised):
            await access(**settings).require(request(headers={"Host": host}), "review")


# --- what a web page could forge ------------------------------------------------------------------------------------

JSON = {"Content-Type": "application/json", "Content-Length": "2"}
CHANGES = [("POST", "correct"), ("DELETE", "correct"), ("POST", "review"), ("PATCH", "review"), ("PUT", "admin")]
GUARDED_READS = [("GET", "review"), ("GET", "admin"), ("HEAD", "review"), ("GET", "correct")]
"""The last, because the owner may read more than others with it."""
FOREIGN_HOSTS = (
    "rebound.example", "rebound.example:8000", "localhost.rebound.example", "127.0.0.1.rebound.example", "",
    "localhost@rebound.example", "rebound.example@localhost", "127.0.0.1:x", "[::1", "192.168.1.5:8000", "0.0.0.0",
    "localhost/x", "localhost.",
)  # fmt: skip
OWN_HOSTS = ("127.0.0.1", "127.0.0.1:8000", "localhost", "LocalHost:80", "[::1]", "[::1]:8000", "127.0.0.5:1")


@pytest.mark.parametrize(("method", "scope"), CHANGES + GUARDED_READS)
async def test_dns_rebinding_gets_nothing(method: str, scope: Scope) -> None:
    for host in OWN_HOSTS:
        assert (await access().require(request(method, {"Host": host, "Origin": f"http://{host}"}), scope)).scopes
    for host in FOREIGN_HOSTS:
        with pytest.raises(Forbidden, match="localhost"):
            await access().require(request(method, {"Host": host, "Origin": f"http://{host}"}), scope)
    with pytest.raises(Forbidden, match="localhost"):
        await access().require(request(method, [("Host", "localhost"), ("Host", "rebound.example")]), scope)
    with pytest.raises(Forbidden, match="localhost"):
        await access().require(Request({**request(method).scope, "headers": []}), scope)


async def test_dns_rebinding_makes_no_anonymous_correction_either() -> None:
    server = access(admin_key=ADMIN_KEY)
    assert (await server.require(request("POST", JSON), "correct")).name == "anonymous"
    with pytest.raises(Forbidden, match="TRAGHETTO_ALLOWED_HOSTS"):
        await server.require(request("POST", {**JSON, "Host": "rebound.example"}), "correct")


async def test_a_proxy_in_front_names_its_host() -> None:
    server = access(admin_key=ADMIN_KEY, allowed_hosts="translate.example.org")
    proxied = {**JSON, "Host": "Translate.example.org", "X-Forwarded-For": "203.0.113.9"}
    page = {**proxied, "Origin": "https://translate.example.org", "Sec-Fetch-Site": "same-origin"}
    for headers in (proxied, page):
        assert (await server.require(request("POST", headers), "correct")).name == "anonymous"
    with pytest.raises(Forbidden):
        await server.require(request("POST", {**proxied, "Host": "other.example.org"}), "correct")
    with pytest.raises(Forbidden):
        await access(admin_key=ADMIN_KEY, allowed_hosts="translate.example.org", host="0.0.0.0").require(
            request("POST", {**proxied, "Host": "other.example.org"}), "correct"
        )


FOREIGN: tuple[Headers, ...] = (
    {"Origin": "https://foreign.example"},
    {"Origin": "http://127.0.0.1"},
    {"Origin": "http://127.0.0.1:9000"},
    {"Origin": "http://localhost:8000"},
    {"Origin": "http://127.0.0.1:8000.foreign.example"},
    {"Origin": "chrome-extension://127.0.0.1:8000"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "cross-site"},
)
OWN: tuple[Headers, ...] = (
    {},
    {"Origin": "http://127.0.0.1:8000"},
    {"Origin": "http://127.0.0.1:8000", "Sec-Fetch-Site": "same-origin"},
    {"Sec-Fetch-Site": "none"},
)


@pytest.mark.parametrize(("method", "scope"), CHANGES + GUARDED_READS)
async def test_pages_of_other_sites_get_nothing(method: str, scope: Scope) -> None:
    for headers in OWN:
        assert (await access().require(request(method, headers), scope)).name == "local"
    for headers in FOREIGN:
        with pytest.raises(Forbidden, match="another site"):
            await access().require(request(method, headers), scope)


async def test_pages_of_other_sites_change_nothing_on_a_public_server_either() -> None:
    server = access(admin_key=ADMIN_KEY, host="0.0.0.0")
    public = {**JSON, "Host": "translate.example.org"}
    assert (
        await server.require(request("POST", {**public, "Origin": "https://translate.example.org"}), "correct")
    ).scopes
    with pytest.raises(Forbidden, match="another site"):
        await server.require(request("POST", {**public, "Origin": "https://foreign.example"}), "correct")
    with pytest.raises(Forbidden, match="another site"):
        await server.require(request("POST", {**public, "Authorization": "Basic eDp5", "Origin": "null"}), "correct")


@pytest.mark.parametrize(("method", "scope"), CHANGES)
async def test_bodies_that_forms_can_send_change_nothing(method: str, scope: Scope) -> None:
    chunked = {"Transfer-Encoding": "chunked"}
    for content_type in ("application/json", "Application/JSON; charset=utf-8", "application/octet-stream"):
        for body in ({"Content-Length": "2"}, chunked):
            assert await access().require(request(method, {"Content-Type": content_type, **body}), scope)
    assert await access().require(request(method), scope), "what has no body needs no type"
    assert await access().require(request(method, {"Content-Length": "0"}), scope)
    for content_type in (
        "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=application/json", "",
        "text/plain; application/json", "application/json, text/plain", "application/jsonp",
    ):  # fmt: skip
        for body in ({"Content-Length": "2"}, chunked):
            with pytest.raises(UnsupportedBody, match="application/json"):
                await access().require(request(method, {"Content-Type": content_type, **body}), scope)
    with pytest.raises(UnsupportedBody, match="application/json"):
        await access().require(request(method, {"Content-Length": "2"}), scope)
    two = [("Content-Type", "application/json"), ("Content-Type", "text/plain"), ("Content-Length", "2")]
    with pytest.raises(UnsupportedBody, match="application/json"):
        await access().require(request(method, two), scope)


async def test_a_key_proves_enough() -> None:
    foreign = {"Host": "any.example", "Origin": "https://foreign.example", "Content-Type": "text/plain"}
    sent = {**foreign, "Content-Length": "2", "Authorization": "Bearer good"}
    assert await access(FakeKeys("review")).require(request("POST", sent), "review")


async def test_an_anonymous_read_is_not_guarded() -> None:
    """Behind a proxy: what everybody may read is no secret of the owner's."""
    come = {"Host": "any.example", "Origin": "https://foreign.example", "X-Forwarded-For": "203.0.113.9"}
    assert (await access().require(request(headers=come), "correct")).name == "anonymous"


# --- sessions -------------------------------------------------------------------------------------------------------


async def test_a_session_is_known_by_its_hash() -> None:
    with_token = {"X-Traghetto-Session": TOKEN}
    first, again = [await access().require(request(headers=with_token), "correct") for _ in range(2)]
    other = await access().require(request(headers={"X-Traghetto-Session": TOKEN + "!"}), "correct")
    assert first.session == again.session != other.session
    assert first.session is not None and len(first.session) == 64 and TOKEN not in repr(first)
    assert (await access().require(request(), "correct")).session is None


@pytest.mark.parametrize("token", ["", "short", "x" * 15, "x" * 129, "sedici caratterì!", "tab\tin the middle"])
async def test_a_malformed_session_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest, match="X-Traghetto-Session: must be 16 to 128"):
        await access().require(request(headers={"X-Traghetto-Session": token}), "correct")
