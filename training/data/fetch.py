"""Public parallel corpora -> tables of a data folder: the Tatoeba/Anki selection, and anything in OPUS.

out/tatoeba.train.tsv.gz           what the trainer reads (Italian TAB English)
out/downloads/ita-eng.zip          the archive as it came
out/downloads/ita-eng.zip.json     where from, when, SHA-256, what was made of it
"""

from __future__ import annotations

import contextlib
import datetime
import gzip
import json
import re
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from rich.console import Console

from model.config import JsonConfig, require
from model.errors import ConfigError
from training.data.download import DEFAULT_HTTP, FetchError, HttpConfig, download, get_json, sha256_of
from training.data.pairs import Counts, Layout, Pair, clean, deduplicate, hold_out, read_pairs

__all__ = ["FetchError", "FetchOptions", "Fetched", "HttpConfig", "fetch"]

ANKI_URL = "https://www.manythings.org/anki/ita-eng.zip"
ANKI_TERMS = "CC-BY 2.0 FR, sentences of tatoeba.org in the selection of manythings.org/anki"
OPUS_API = "https://opus.nlpl.eu/opusapi/"
OPUS_FILES = "https://object.pouta.csc.fi"
OPUS_TERMS = "see LICENSE and README in the archive, and the corpus's page at opus.nlpl.eu"
OPUS_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
PARTS_HELD_OUT = 2
"""Test and dev, of equal size."""
DOWNLOADS = "downloads"


@dataclass(frozen=True)
class FetchOptions(JsonConfig):
    """How a corpus is fetched."""

    url: str = ""
    """Another address of the archive, or a local file; empty: the corpus's own."""
    sha256: str = ""
    """Expected checksum of the archive; empty: it is only recorded."""
    held_out_per_mille: int = 4
    """Of the Anki selection: thousandths of the sentences of each language whose pairs become test and dev tables."""
    opus_api: str = OPUS_API
    opus_files: str = OPUS_FILES

    def __post_init__(self) -> None:
        if self.sha256:
            require(bool(re.fullmatch("[0-9a-fA-F]{64}", self.sha256)), "sha256 must be 64 hexadecimal digits")
        require(0 <= self.held_out_per_mille <= 100, "held_out_per_mille must be between 0 and 100")


@dataclass(frozen=True)
class Fetched:
    """What a fetch left behind; also the record beside the archive."""

    name: str
    url: str
    archive: str
    sha256: str
    bytes: int
    fetched: str
    """UTC time, ISO 8601."""
    terms: str
    tables: dict[str, int] = field(default_factory=dict)
    """File -> pairs."""


@dataclass(frozen=True)
class _Plan:
    """Where an archive is, how it is read, and what its tables are called."""

    name: str
    url: str
    """Where from, or a local path."""
    archive: Path
    layout: Layout
    out: Path
    stem: str
    terms: str
    held_out_per_mille: int = 0

    @property
    def record(self) -> Path:
        """The record of the archive."""
        return self.out / DOWNLOADS / f"{self.archive.name}.json"

    @property
    def table_names(self) -> list[str]:
        """The tables that the archive becomes: all pairs in one, or training, dev and test."""
        parts = (".train", ".dev", ".test") if self.held_out_per_mille else ("",)
        return [f"{self.stem}{part}.tsv.gz" for part in parts]

    def recorded(self) -> dict[str, Any]:
        """The record of an earlier fetch; empty if there is none."""
        try:
            record = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def recorded_tables(self) -> dict[str, int]:
        """The tables of an earlier fetch."""
        tables = self.recorded().get("tables")
        return tables if isinstance(tables, dict) else {}

    def write_record(self, tables: dict[str, int]) -> Fetched:
        """Note beside the archive what it is and what was made of it."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        size, digest = self.archive.stat().st_size, sha256_of(self.archive)
        fetched = Fetched(self.name, self.url, self.archive.name, digest, size, now, self.terms, tables)
        with _whole(self.record) as file:
            file.write(json.dumps(vars(fetched), indent=2, ensure_ascii=False).encode() + b"\n")
        return fetched

    def refuse_foreign_tables(self) -> None:
        """Never write over a table that did not come from this archive."""
        for name in self.table_names:
            if (self.out / name).exists() and name not in self.recorded_tables():
                raise FetchError(
                    f"{self.out / name} is there already, not from here: remove it, or give another folder"
                )


def fetch(
    name: str,
    out: Path,
    options: FetchOptions | None = None,
    console: Console | None = None,
    http: HttpConfig = DEFAULT_HTTP,
) -> Fetched:
    """Get the corpus `name` (`anki`, or one of OPUS, such as `Tatoeba` or `OpenSubtitles/v2018`) into folder `out`.

    An archive that is there already, and whole, is not downloaded again; one that was interrupted is completed.

    Raises:
        FetchError: it cannot be had or is not what was expected; a table of that name is somebody else's.
        ConfigError: the archive holds no pairs of sentences.
    """
    options = options or FetchOptions()
    console = console or Console(stderr=True)
    plan = _plan(name, out, options, http)
    try:
        plan.record.parent.mkdir(parents=True, exist_ok=True)
        plan.refuse_foreign_tables()
        _get_archive(plan, options.sha256, console, http)
        plan.write_record(plan.recorded_tables())  # a failure from here on must not cost another download
        fetched = plan.write_record(_write_tables(plan, console))
    except OSError as error:
        raise FetchError(f"cannot read or write {error.filename or out}: {error.strerror or error}") from error
    console.print(f"SHA-256 {fetched.sha256}  {fetched.archive}", highlight=False, soft_wrap=True)
    return fetched


def _plan(name: str, out: Path, options: FetchOptions, http: HttpConfig) -> _Plan:
    if name.lower() == "anki":
        url = options.url or ANKI_URL
        archive = _archive_path(url, out, "")
        return _Plan("anki", url, archive, "anki", out, "tatoeba", ANKI_TERMS, options.held_out_per_mille)
    corpus, _, version = name.partition("/")
    if not OPUS_NAME.fullmatch(corpus) or (version and not OPUS_NAME.fullmatch(version)):
        raise FetchError(f"{name!r} is no corpus: give anki, or an OPUS name such as Tatoeba or OpenSubtitles/v2018")
    url = options.url or (_opus_file(corpus, version, options) if version else _opus_latest(corpus, options, http))
    archive = _archive_path(url, out, name.replace("/", "-") + "-")  # all of OPUS's are called en-it.txt.zip
    return _Plan(name, url, archive, "moses", out, f"opus-{corpus.lower()}", OPUS_TERMS)


def _archive_path(url: str, out: Path, prefix: str) -> Path:
    """Where the archive lies once it is there; local ones stay where they are."""
    if not _is_remote(url):
        return Path(url.removeprefix("file://")).expanduser()
    file_name = Path(urllib.parse.unquote(urllib.parse.urlsplit(url).path)).name
    return out / DOWNLOADS / f"{prefix}{file_name or 'archive.zip'}"


def _is_remote(url: str) -> bool:
    return url.lower().startswith(("http://", "https://"))


def _opus_file(corpus: str, version: str, options: FetchOptions) -> str:
    """OPUS keeps Moses archives under the two languages in alphabetical order."""
    return f"{options.opus_files.rstrip('/')}/OPUS-{corpus}/{version}/moses/en-it.txt.zip"


def _opus_latest(corpus: str, options: FetchOptions, http: HttpConfig) -> str:
    """Address of the latest version, as the OPUS API tells it."""
    query = {"corpus": corpus, "source": "en", "target": "it", "preprocessing": "moses", "version": "latest"}
    answer = get_json(f"{options.opus_api}?{urllib.parse.urlencode(query)}", http)
    found = answer.get("corpora") if isinstance(answer, dict) else None
    entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    urls = [url for entry in entries if _is_remote(url := str(entry.get("url"))) and url.endswith(".zip")]
    if not urls:
        raise FetchError(f"OPUS has no English-Italian corpus {corpus!r}; names and spelling: https://opus.nlpl.eu")
    return urls[0]


def _get_archive(plan: _Plan, sha256: str, console: Console, http: HttpConfig) -> None:
    """Make sure that the archive is there and is what it should be."""
    if _is_remote(plan.url) and not _is_known(plan):
        console.print(f"downloading {plan.url}", soft_wrap=True)
        download(plan.url, plan.archive, sha256 or None, console, http)
        if plan.archive.suffix == ".zip" and not zipfile.is_zipfile(plan.archive):
            plan.archive.unlink()
            raise FetchError(f"{plan.url} answered with something that is no .zip archive, perhaps a web page")
        return
    if not plan.archive.is_file():
        raise FetchError(f"there is no file {plan.archive}; addresses begin with http:// or https://")
    if sha256 and (found := sha256_of(plan.archive)) != sha256.lower():
        raise FetchError(f"{plan.archive}: SHA-256 is {found}, expected {sha256.lower()}")


def _is_known(plan: _Plan) -> bool:
    """Whether the archive was downloaded from this address before and has not changed."""
    noted = plan.recorded()
    return plan.archive.is_file() and noted.get("url") == plan.url and noted.get("sha256") == sha256_of(plan.archive)


def _write_tables(plan: _Plan, console: Console) -> dict[str, int]:
    """Table -> its number of pairs."""
    counts = {}
    with console.status(f"reading {plan.archive.name}"):
        for name, pairs in zip(plan.table_names, _parts(plan), strict=True):
            counts[name] = _write_table(plan.out / name, pairs)
            console.print(f"{plan.out / name}: {counts[name]:,} pairs", highlight=False, soft_wrap=True)
    if not any(counts.values()):
        raise ConfigError(f"{plan.archive} holds no pairs")
    return counts


def _parts(plan: _Plan) -> list[Iterable[Pair]]:
    """The pairs of each table. Test is held out before dev, so that no sentence is in two tables."""
    pairs = read_pairs(plan.archive, plan.layout)
    if not plan.held_out_per_mille:
        return [pairs]
    counts = Counts()
    usable = deduplicate(clean(pairs, counts), set(), counts)
    rest, test = hold_out(usable, plan.held_out_per_mille / PARTS_HELD_OUT)
    train, dev = hold_out(rest, plan.held_out_per_mille)
    return [train, dev, test]


def _write_table(path: Path, pairs: Iterable[Pair]) -> int:
    """Write (Italian, English) pairs as a gzipped table, the same bytes for the same pairs; give their number."""
    count = 0
    with _whole(path) as raw, gzip.GzipFile(filename="", fileobj=raw, mode="wb", mtime=0) as file:
        for pair in pairs:
            file.write(("\t".join(" ".join(side.split()) for side in pair) + "\n").encode())
            count += 1
    return count


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[IO[bytes]]:
    """A file that gets its name only once it is written; whatever goes wrong, `path` is as before."""
    temporary = path.with_name(f".{path.name}.partial")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
