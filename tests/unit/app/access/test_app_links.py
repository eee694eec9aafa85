"""Signed links: for one page, for a quarter of an hour, known by all processes of a data directory."""

from __future__ import annotations

import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from app.access.links import KEY_BYTES, KEY_FILE, VALID_S, Links
from app.errors import Forbidden

PATH = "/v1/retraining/1/report"


class Clock:
    now = 1_000_000.5

    def __call__(self) -> float:
        return self.now


def parts(link: str) -> tuple[str, int, str]:
    url = urlsplit(link)
    query = parse_qs(url.query)
    return url.path, int(query["expires"][0]), query["signature"][0]


def test_a_link_opens_its_page_in_another_process_until_it_expires(tmp_path: Path) -> None:
    clock = Clock()
    path, expires, signature = parts(Links(tmp_path, clock).sign(PATH))
    other = Links(tmp_path, clock)
    assert path == PATH
    other.check(path, expires, signature)
    clock.now += VALID_S - 1
    other.check(path, expires, signature)
    clock.now += 1
    with pytest.raises(Forbidden, match="expired"):
        other.check(path, expires, signature)


def test_nothing_else_opens(tmp_path: Path) -> None:
    links = Links(tmp_path, Clock())
    path, expires, signature = parts(links.sign(PATH))
    stranger = parts(Links(tmp_path / "elsewhere", Clock()).sign(PATH))[2]
    for wrong in (
        ("/v1/retraining/2/report", expires, signature),
        (path, expires + 1, signature),
        (path, expires, stranger),
        (path, expires, signature[:-1]),
        (path, expires, ""),
        (path, expires, "è" * 64),
        (path, 10**4000, signature),
    ):
        with pytest.raises(Forbidden, match="wrong"):
            links.check(*wrong)


def test_processes_that_begin_together_share_one_key(tmp_path: Path) -> None:
    found: list[str] = []
    barrier = threading.Barrier(8)

    def begin() -> None:
        links = Links(tmp_path, Clock())
        barrier.wait(10)
        found.append(links.sign(PATH))

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8 and len(set(found)) == 1
    assert [file.name for file in tmp_path.iterdir()] == [KEY_FILE], "nothing else may be left behind"
    assert (tmp_path / KEY_FILE).stat().st_mode & 0o077 == 0, "others on this machine must not read the key"


def test_a_damaged_key_is_never_used(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"x" * (KEY_BYTES - 1))
    with pytest.raises(ValueError, match="remove it"):
        Links(tmp_path).sign(PATH)


def test_a_key_that_cannot_be_used_opens_nothing(tmp_path: Path) -> None:
    links = Links(tmp_path, Clock())
    with pytest.raises(Forbidden):
        links.check(PATH, 2_000_000, "0" * 64)
    assert list(tmp_path.iterdir()) == [], "who asks with a link may be anybody, and must not have files made"
    (tmp_path / KEY_FILE).write_bytes(b"x" * (KEY_BYTES - 1))
    with pytest.raises(Forbidden):
        links.check(PATH, 2_000_000, "0" * 64)


def test_servers_with_one_administration_key_know_each_others_links(tmp_path: Path) -> None:
    key, other_key = SecretStr("0123456789abcdef"), SecretStr("fedcba9876543210")
    path, expires, signature = parts(Links(tmp_path / "a", admin_key=key).sign(PATH))
    Links(tmp_path / "b", admin_key=key).check(path, expires, signature)
    for stranger in (Links(tmp_path / "a", admin_key=other_key), Links(tmp_path / "a")):
        with pytest.raises(Forbidden):
            stranger.check(path, expires, signature)
    assert not list(tmp_path.rglob("*")), "no key file is needed"
