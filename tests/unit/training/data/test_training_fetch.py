"""Fetching corpora from a server of our own, which breaks off, refuses, changes its mind and lies."""

import gzip
import hashlib
import http.server
import io
import json
import threading
import urllib.parse
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from rich.console import Console

from model.errors import ConfigError
from training.config import TrainingConfig
from training.data.assemble import assemble
from training.data.download import FetchError, HttpConfig, download
from training.data.fetch import FetchOptions, fetch
from training.data.pairs import held_out_keys, read_pairs

QUICK = HttpConfig(retries=2, timeout_s=5, wait_s=0.01)
CONTENT = bytes(range(256)) * 2000
CONFIGS = Path(__file__).parents[4] / "training/configs"


@dataclass
class Server:
    """Files by path, and how they are to be served."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    tag: str = '"one"'
    break_after: list[int] = field(default_factory=list)
    """Bytes of the body after which the next answers break off, one for each."""
    statuses: list[int] = field(default_factory=list)
    """Errors that the next answers are."""
    ranges: bool = True
    lengths: bool = True
    shift: int = 0
    """Bytes by which a part answered is not the one asked for."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and Range of each request."""


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        served = self.server.served
        path = urllib.parse.unquote(self.path)
        served.asked.append((path, self.headers.get("Range", "")))
        if served.statuses:
            self.send_error(served.statuses.pop(0))
        elif path not in served.files:
            self.send_error(404)
        else:
            self.answer(served, served.files[path])

    def answer(self, served, content):
        start = 0
        asked = self.headers.get("Range", "")
        if served.ranges and asked and self.headers.get("If-Range") == served.tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start + served.shift}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        if served.tag:
            self.send_header("ETag", served.tag)
        if served.lengths:
            self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        stop = served.break_after.pop(0) if served.break_after else len(content)
        self.wfile.write(content[start : start + stop])
        return None

    def log_message(self, *_):
        """Be quiet."""


@pytest.fixture
def server():
    served = Server()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.served = served
        served.url = f"http://127.0.0.1:{listening.server_port}"
        served.files["/file.bin"] = CONTENT
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        listening.shutdown()
        thread.join()


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=200)


@pytest.fixture
def get(server, tmp_path, console):
    """Download the server's file and give what lies on the disk then."""

    def run(sha256=None, path="/file.bin"):
        to = tmp_path / "file.bin"
        digest = download(server.url + path, to, sha256, console, QUICK)
        assert digest == hashlib.sha256(to.read_bytes()).hexdigest()
        assert sorted(tmp_path.iterdir()) == [to], "parts of the download were left behind"
        return to.read_bytes()

    return run


def test_a_file_is_downloaded_whole_and_its_checksum_told(server, get):
    assert get(hashlib.sha256(CONTENT).hexdigest().upper()) == CONTENT
    assert server.asked == [("/file.bin", "")]


def test_a_connection_that_breaks_is_taken_up_where_it_broke(server, get):
    server.break_after = [200_000, 100_000]
    assert get() == CONTENT
    assert [asked for _, asked in server.asked] == ["", "bytes=200000-", "bytes=300000-"]


def test_many_breaks_are_borne_while_bytes_come(server, get):
    server.break_after = [len(CONTENT) // 8 + 1] * 7
    assert get() == CONTENT
    assert len(server.asked) == 8


def test_an_interrupted_download_is_completed_by_the_next_run(server, get, tmp_path):
    server.break_after = [100_000, 0, 0, 0]
    with pytest.raises(FetchError, match=r"connection ended after 100,000 of 512,000 bytes"):
        get()
    assert get() == CONTENT
    assert server.asked[-1] == ("/file.bin", "bytes=100000-")


def test_a_file_that_changed_meanwhile_is_taken_anew(server, get):
    server.break_after = [100_000, 0, 0, 0]
    with pytest.raises(FetchError):
        get()
    server.tag, server.files["/file.bin"] = '"two"', b"another version" * 9000
    assert get() == b"another version" * 9000


@pytest.mark.parametrize("change", [{"tag": ""}, {"tag": 'W/"weak"'}, {"ranges": False}])
def test_without_a_sure_way_to_resume_it_begins_again(server, get, change):
    for name, value in change.items():
        setattr(server, name, value)
    server.break_after = [100_000]
    assert get() == CONTENT
    assert len(server.asked) == 2


def test_a_part_that_was_not_asked_for_is_not_put_into_the_file(server, get):
    server.break_after, server.shift = [100_000], 5
    assert get() == CONTENT


def test_leftovers_longer_than_the_file_are_thrown_away(server, get, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(bytes(len(CONTENT) + 10))
    note = {"url": f"{server.url}/file.bin", "validator": server.tag}
    (tmp_path / "file.bin.part.json").write_text(json.dumps(note))
    assert get() == CONTENT


def test_leftovers_of_another_address_are_not_continued(server, get, tmp_path):
    (tmp_path / "file.bin.part").write_bytes(b"something else")
    note = {"url": "http://127.0.0.1/other", "validator": server.tag}
    (tmp_path / "file.bin.part.json").write_text(json.dumps(note))
    assert get() == CONTENT


def test_a_busy_server_is_asked_again(server, get):
    server.statuses = [503, 429]
    assert get() == CONTENT


@pytest.mark.parametrize(
    ("status", "times", "message"),
    [(404, 1, "answered 404.*spelling"), (403, 1, "answered 403"), (500, 3, "3 tries.*answered 500")],
)
def test_an_error_of_the_server_is_told(server, get, status, times, message):
    server.statuses = [status] * times
    with pytest.raises(FetchError, match=message):
        get()
    assert len(server.asked) == times


def test_a_wrong_checksum_leaves_nothing_to_be_taken_for_the_file(server, get, tmp_path):
    with pytest.raises(FetchError, match=r"SHA-256 is .*, expected 0000"):
        get("0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_no_network_is_said_with_a_way_out(tmp_path, console):
    with pytest.raises(FetchError, match=r"no connection to 127\.0\.0\.1:9.*give the file with --url"):
        download("http://127.0.0.1:9/file.bin", tmp_path / "file.bin", None, console, QUICK)


def test_too_little_space_is_said_before_it_is_filled(server, get, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 10})())
    with pytest.raises(FetchError, match=r"needs 512,000 bytes, .* has only 10 free"):
        get()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, a disk that is always full")
def test_a_full_disk_is_said(server, get, tmp_path):
    (tmp_path / "file.bin.part").symlink_to("/dev/full")
    with pytest.raises(FetchError, match=r"cannot write .*No space left"):
        get()


ITALIAN = [f"Alle {hour} e {minute} parte la nave numero {hour * minute}." for hour in range(24) for minute in range(9)]
ENGLISH = [f"At {hour} past {minute} ship number {hour * minute} leaves." for hour in range(24) for minute in range(9)]


def anki_zip():
    rows = zip(ENGLISH, ITALIAN, strict=True)
    lines = "".join(f"{english}\t{italian}\tCC-BY 2.0 (France)\n" for english, italian in rows)
    return zipped({"ita.txt": lines, "_about.txt": "About"})


def moses_zip():
    return zipped({"T.en-it.en": "\n".join(ENGLISH), "T.en-it.it": "\n".join(ITALIAN), "README": "?"})


def zipped(members):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return packed.getvalue()


def test_the_anki_selection_becomes_three_tables_that_share_no_sentence(server, tmp_path, console):
    server.files["/anki/ita-eng.zip"] = anki_zip()
    options = FetchOptions(url=f"{server.url}/anki/ita-eng.zip", held_out_per_mille=100)
    fetched = fetch("anki", tmp_path, options, console, QUICK)
    assert list(fetched.tables) == ["tatoeba.train.tsv.gz", "tatoeba.dev.tsv.gz", "tatoeba.test.tsv.gz"]
    tables = {name: list(read_pairs(tmp_path / name)) for name in fetched.tables}
    assert {name: len(pairs) for name, pairs in tables.items()} == fetched.tables
    assert all(fetched.tables.values()), fetched.tables
    assert set().union(*tables.values()) <= set(zip(ITALIAN, ENGLISH, strict=True))
    keys = [held_out_keys(pairs) for pairs in tables.values()]
    for side in (0, 1):
        assert sum(len(key[side]) for key in keys) == len(set().union(*(key[side] for key in keys)))
    record = json.loads((tmp_path / "downloads" / "ita-eng.zip.json").read_text())
    assert record == vars(fetched)
    assert record["sha256"] == hashlib.sha256(server.files["/anki/ita-eng.zip"]).hexdigest()
    assert "CC-BY" in record["terms"]


def test_the_settings_for_the_public_selection_fit_its_tables(tmp_path, console):
    path = tmp_path / "ita-eng.zip"
    path.write_bytes(anki_zip())
    fetched = fetch("anki", tmp_path / "data", FetchOptions(url=str(path), held_out_per_mille=100), console)
    corpus = assemble(TrainingConfig.read(CONFIGS / "tatoeba.toml"), tmp_path / "data", console)
    assert list(corpus.counts) == ["tatoeba.train"]
    assert len(corpus.dev) == fetched.tables["tatoeba.dev.tsv.gz"]


@pytest.mark.parametrize("per_mille", [1, 3])
def test_an_odd_share_is_halved_too(tmp_path, console, per_mille):
    path = tmp_path / "many.txt"
    path.write_text("".join(f"Word {n}.\tParola {n}.\tCC-BY 2.0 (France)\n" for n in range(8000)))
    tables = fetch("anki", tmp_path / "data", FetchOptions(url=str(path), held_out_per_mille=per_mille), console).tables
    dev, test = tables["tatoeba.dev.tsv.gz"], tables["tatoeba.test.tsv.gz"]
    assert min(dev, test) > 2 * per_mille, f"{dev} pairs for dev, {test} for test; about {8 * per_mille} each wanted"
    assert max(dev, test) < 1.3 * min(dev, test), f"{dev} pairs for dev, {test} for test"


def test_what_is_there_already_is_not_downloaded_again(server, tmp_path, console):
    server.files["/ita-eng.zip"] = anki_zip()
    options = FetchOptions(url=f"{server.url}/ita-eng.zip")
    first = fetch("anki", tmp_path, options, console, QUICK)
    before = {name: (tmp_path / name).read_bytes() for name in first.tables}
    again = fetch("anki", tmp_path, options, console, QUICK)
    assert len(server.asked) == 1
    assert again.tables == first.tables
    assert {name: (tmp_path / name).read_bytes() for name in first.tables} == before, "the same bytes each time"


def test_an_archive_that_was_damaged_on_the_disk_is_fetched_again(server, tmp_path, console):
    server.files["/ita-eng.zip"] = anki_zip()
    options = FetchOptions(url=f"{server.url}/ita-eng.zip")
    fetch("anki", tmp_path, options, console, QUICK)
    (tmp_path / "downloads" / "ita-eng.zip").write_bytes(b"PK damaged")
    assert fetch("anki", tmp_path, options, console, QUICK).tables
    assert len(server.asked) == 2


def test_opus_is_asked_for_the_latest_version(server, tmp_path, console):
    query = "corpus=Tatoeba&source=en&target=it&preprocessing=moses&version=latest"
    archive = f"{server.url}/OPUS-Tatoeba/v9/moses/en-it.txt.zip"
    server.files[f"/api/?{query}"] = json.dumps({"corpora": [{"url": archive, "version": "v9"}]}).encode()
    server.files["/OPUS-Tatoeba/v9/moses/en-it.txt.zip"] = moses_zip()
    fetched = fetch("Tatoeba", tmp_path, FetchOptions(opus_api=f"{server.url}/api/"), console, QUICK)
    assert (fetched.url, fetched.tables) == (archive, {"opus-tatoeba.tsv.gz": len(ITALIAN)})
    assert list(read_pairs(tmp_path / "opus-tatoeba.tsv.gz")) == list(zip(ITALIAN, ENGLISH, strict=True))
    assert (tmp_path / "downloads" / "Tatoeba-en-it.txt.zip").is_file()


def test_an_opus_version_can_be_named(server, tmp_path, console):
    server.files["/OPUS-Books/v1/moses/en-it.txt.zip"] = moses_zip()
    assert fetch("Books/v1", tmp_path, FetchOptions(opus_files=f"{server.url}/"), console, QUICK).tables
    assert server.asked == [("/OPUS-Books/v1/moses/en-it.txt.zip", "")]


@pytest.mark.parametrize("answer", [b'{"corpora": []}', b"[]", b'{"corpora": [{"url": "file:///etc/passwd.zip"}]}'])
def test_a_corpus_that_opus_does_not_have_is_named(server, tmp_path, console, answer):
    query = "corpus=Nothing&source=en&target=it&preprocessing=moses&version=latest"
    server.files[f"/?{query}"] = answer
    with pytest.raises(FetchError, match="no English-Italian corpus 'Nothing'"):
        fetch("Nothing", tmp_path, FetchOptions(opus_api=f"{server.url}/"), console, QUICK)


def test_an_answer_that_is_no_json_is_refused(server, tmp_path, console):
    query = "corpus=Books&source=en&target=it&preprocessing=moses&version=latest"
    server.files[f"/?{query}"] = b"<html>"
    with pytest.raises(FetchError, match="did not answer JSON"):
        fetch("Books", tmp_path, FetchOptions(opus_api=f"{server.url}/"), console, QUICK)


@pytest.mark.parametrize("name", ["../secrets", "", "a b", "Tatoeba/../v1"])
def test_a_name_that_is_none_is_refused_before_anything_is_asked(tmp_path, console, name):
    with pytest.raises(FetchError, match="is no corpus"):
        fetch(name, tmp_path, FetchOptions(), console, QUICK)


def test_a_web_page_in_place_of_the_archive_is_not_kept(server, tmp_path, console):
    server.files["/ita-eng.zip"] = b"<html>Please log in</html>"
    with pytest.raises(FetchError, match=r"no \.zip archive"):
        fetch("anki", tmp_path, FetchOptions(url=f"{server.url}/ita-eng.zip"), console, QUICK)
    assert list((tmp_path / "downloads").iterdir()) == []


def test_a_local_file_is_read_where_it_lies(tmp_path, console):
    path = tmp_path / "mine.zip"
    path.write_bytes(anki_zip())
    out = tmp_path / "data"
    fetched = fetch("anki", out, FetchOptions(url=str(path), held_out_per_mille=0), console, QUICK)
    assert fetched.tables == {"tatoeba.tsv.gz": len(ITALIAN)}
    assert path.is_file()
    with pytest.raises(FetchError, match="SHA-256"):
        fetch("anki", out, FetchOptions(url=str(path), sha256="0" * 64), console, QUICK)
    with pytest.raises(FetchError, match="there is no file"):
        fetch("anki", out, FetchOptions(url=str(tmp_path / "absent.zip")), console, QUICK)


def test_a_table_of_other_origin_is_never_written_over(server, tmp_path, console):
    (tmp_path / "tatoeba.test.tsv.gz").write_bytes(gzip.compress(b"mine\tmine\n"))
    with pytest.raises(FetchError, match="is there already"):
        fetch("anki", tmp_path, FetchOptions(url=f"{server.url}/ita-eng.zip"), console, QUICK)
    assert server.asked == [], "it could have been known before the download"
    assert gzip.decompress((tmp_path / "tatoeba.test.tsv.gz").read_bytes()) == b"mine\tmine\n"


def test_a_broken_archive_leaves_no_half_table(tmp_path, console):
    path = tmp_path / "mine.zip"
    path.write_bytes(zipped({"T.it": "uno\ndue\n", "T.en": "one\n"}))
    with pytest.raises(ConfigError, match="differ in length"):
        fetch("Books/v1", tmp_path / "data", FetchOptions(url=str(path)), console, QUICK)
    assert [entry.name for entry in (tmp_path / "data").iterdir()] == ["downloads"]
    path.write_bytes(zipped({"T.it": "", "T.en": ""}))
    with pytest.raises(ConfigError, match="holds no pairs"):
        fetch("Books/v1", tmp_path / "empty", FetchOptions(url=str(path)), console, QUICK)


@pytest.mark.parametrize("wrong", [{"sha256": "abc"}, {"held_out_per_mille": 500}, {"uri": "x"}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ConfigError):
        FetchOptions.from_dict(wrong)
