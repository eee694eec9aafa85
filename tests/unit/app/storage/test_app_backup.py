"""Archives of `traghetto backup`: whole, of one moment, and never put back in part."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sqlite3
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from databases import migrated

from app.errors import AppError
from app.settings import load_settings
from app.storage import dumps
from app.storage.archive import HASHES, MANIFEST, Place, nobody
from app.storage.backup import create, size_bytes
from app.storage.restore import restore
from model.versions import pointers
from model.versions.store import verify

PAIR = "it-en"


def place_in(folder: Path) -> Place:
    return Place(folder / "models", load_settings(data_dir=folder).database)


@pytest.fixture
def place(tmp_path: Path, tiny_data_dir: Path) -> Place:
    """A data directory with two versions, the second promoted, and a migrated database."""
    made = place_in(tmp_path / "data")
    shutil.copytree(tiny_data_dir / "models", made.models)
    assert made.database is not None
    migrated(made.database)
    pointers.promote((made.models,), PAIR, "second")
    return made


@pytest.fixture
def archive(place: Place, tmp_path: Path) -> Path:
    file = tmp_path / "kept.tar.gz"
    create(file, place, "0.1.0", nobody)
    return file


def members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as tar:
        return {one.name: tar.extractfile(one).read() for one in tar.getmembers()}  # type: ignore[union-attr]


def written(file: Path, content: dict[str, bytes], *, hashed: bool = True) -> Path:
    """An archive of `content`, with new hashes if `hashed`."""
    if hashed:
        rest = {name: data for name, data in content.items() if name != HASHES}
        content = {**rest, HASHES: json.dumps({n: hashlib.sha256(d).hexdigest() for n, d in rest.items()}).encode()}
    with tarfile.open(file, "w:gz") as tar:
        for name, data in content.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file


def refused(file: Path, into: Path, *words: str) -> None:
    """Restoring `file` fails with `words`, and leaves nothing."""
    with pytest.raises(AppError) as error:
        restore(file, place_in(into), nobody)
    for word in words:
        assert word in str(error.value)
    assert not into.exists(), f"it left {sorted(into.rglob('*'))}"


def test_what_is_kept_comes_back(archive: Path, tmp_path: Path) -> None:
    there = place_in(tmp_path / "new")
    manifest, found = restore(archive, there, nobody)
    assert (manifest.program, manifest.database) == ("0.1.0", "database.sqlite")
    assert found.versions == ["it-en/default", "it-en/second"]
    pointer = pointers.read(there.models, PAIR)
    assert pointer is not None and (pointer.version, pointer.history) == ("second", ("default",))
    for version in ("default", "second"):
        verify(there.models / PAIR / version)
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["models", "traghetto.db"]


def test_a_bar_would_come_to_its_end(archive: Path, place: Place, tmp_path: Path) -> None:
    read = 0

    def advance(count: int) -> None:
        nonlocal read
        read += count

    restore(archive, place_in(tmp_path / "new"), advance)
    assert read == archive.stat().st_size
    read = 0
    create(tmp_path / "again.tar.gz", place, "0.1.0", advance)
    assert read > size_bytes(place) > 100_000


def test_the_archive_is_for_its_owner_alone(archive: Path) -> None:
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert [path.name for path in archive.parent.iterdir() if path.name.startswith(".")] == []


def test_what_is_being_made_is_left_out(place: Place, tmp_path: Path) -> None:
    data = place.models.parent
    for name in ("models/it-en/.third.x1", "models/it-en/half", "retraining/job"):
        (data / name).mkdir(parents=True)
        (data / name / "model.safetensors").write_bytes(b"half")
    (data / "links.key").write_bytes(b"secret")
    found = create(tmp_path / "kept.tar.gz", place, "0.1.0", nobody)
    names = members(tmp_path / "kept.tar.gz")
    assert {name.split("/")[2] for name in names if name.startswith("models/")} == {"current.json", "default", "second"}
    assert [name for name in names if "/" not in name] == [MANIFEST, "database.sqlite", HASHES]
    assert found.remarks == ["it-en/half is left out: it has no card.json, so it is no version"]


def when(name: str, change: Callable[[], None]) -> Callable[[int], None]:
    """An `Advance` that does `change` once, when reading has begun."""
    done: list[str] = []

    def advance(_count: int) -> None:
        if not done:
            done.append(name)
            change()

    return advance


def test_a_promotion_meanwhile_leaves_no_pointer_without_its_version(place: Place, tmp_path: Path) -> None:
    def promote_and_remove() -> None:
        pointers.rollback((place.models,), PAIR)
        pointers.promote((place.models,), PAIR, "default")

    create(tmp_path / "kept.tar.gz", place, "0.1.0", when("promoted", promote_and_remove))
    names = members(tmp_path / "kept.tar.gz")
    pointed = json.loads(names["models/it-en/current.json"])
    for version in (pointed["version"], *pointed["history"]):
        assert f"models/it-en/{version}/card.json" in names


def test_a_version_that_is_replaced_meanwhile_is_kept_whole(place: Place, tmp_path: Path) -> None:
    folder = place.models / PAIR / "default"
    reads = 0

    def replace(count: int) -> None:
        nonlocal reads
        reads += 1
        if folder.exists() and reads > 5:
            folder.rename(folder.with_name(".default.old"))

    found = create(tmp_path / "kept.tar.gz", place, "0.1.0", replace)
    restore(tmp_path / "kept.tar.gz", place_in(tmp_path / "new"), nobody)
    for name in found.versions:
        verify(tmp_path / "new" / "models" / name)


def test_a_damaged_version_is_kept_and_told(place: Place, tmp_path: Path) -> None:
    with (place.models / PAIR / "default" / "config.json").open("a") as file:
        file.write(" ")
    found = create(tmp_path / "kept.tar.gz", place, "0.1.0", nobody)
    assert found.remarks == ["it-en/default is damaged, and so is its copy: config.json"]


def test_without_database(place: Place, tmp_path: Path) -> None:
    create(tmp_path / "kept.tar.gz", Place(place.models, None), "0.1.0", nobody)
    manifest, _ = restore(tmp_path / "kept.tar.gz", place_in(tmp_path / "new"), nobody)
    assert manifest.database is None and not (tmp_path / "new" / "traghetto.db").exists()


def test_nothing_is_written_over(archive: Path, place: Place, tmp_path: Path) -> None:
    before = archive.read_bytes()
    with pytest.raises(AppError, match="exists already"):
        create(archive, place, "0.1.0", nobody)
    with pytest.raises(AppError, match="is not empty"):
        restore(archive, place, nobody)
    with pytest.raises(AppError, match="there is a database already"):
        restore(archive, Place(tmp_path / "other" / "models", place.database), nobody)
    assert archive.read_bytes() == before
    assert not (tmp_path / "other").exists()


def test_no_database_or_one_of_nobody_knows_what(tmp_path: Path, place: Place) -> None:
    with pytest.raises(AppError, match="--no-database"):
        create(tmp_path / "a.tar.gz", place_in(tmp_path / "nothing"), "0.1.0", nobody)
    file = tmp_path / "data" / "traghetto.db"
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '20990101_future'")
    connection.close()
    with pytest.raises(AppError, match="20990101_future"):
        create(tmp_path / "a.tar.gz", place, "0.1.0", nobody)
    file.write_bytes(b"no database at all" * 100)
    with pytest.raises(AppError, match="cannot be copied"):
        create(tmp_path / "a.tar.gz", place, "0.1.0", nobody)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data"], "it left half an archive"


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.999])
def test_an_archive_that_was_cut_short_is_refused(archive: Path, tmp_path: Path, keep: float) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(whole[: int(keep if keep > 1 else keep * len(whole))])
    refused(archive, tmp_path / "new", "damaged, or not a backup")


def test_every_changed_file_is_found(archive: Path, tmp_path: Path) -> None:
    content = members(archive)
    for name in content:
        changed = content[name][:-1] + bytes([content[name][-1] ^ 1])
        file = written(tmp_path / "changed.tar.gz", {**content, name: changed}, hashed=False)
        refused(file, tmp_path / "new", "nothing was changed")


def test_a_flipped_bit_is_found_or_changes_nothing(archive: Path, tmp_path: Path) -> None:
    """Some bits say nothing: when it was packed, under which name, and what fills the last block."""
    whole, files = archive.read_bytes(), members(archive)
    for position in range(0, len(whole), max(1, len(whole) // 25)):
        changed = bytearray(whole)
        changed[position] ^= 0x10
        archive.write_bytes(changed)
        try:
            restore(archive, place_in(tmp_path / "new"), nobody)
        except AppError:
            assert not (tmp_path / "new").exists()
        else:
            for path in (tmp_path / "new" / "models").rglob("*.*"):
                assert path.read_bytes() == files[path.relative_to(tmp_path / "new").as_posix()]
            shutil.rmtree(tmp_path / "new")


@pytest.mark.parametrize(
    "name",
    ["../evil", "/tmp/evil", "models/../../evil", "models/it-en/../x", "models/it-en/default/../../x", "other.json",
     "models/it-en/default/sub/file", "models/it-en/.hidden/card.json", "models/it-en/default/.hidden"],
)  # fmt: skip
def test_no_name_leads_out(archive: Path, tmp_path: Path, name: str) -> None:
    refused(written(tmp_path / "evil.tar.gz", {**members(archive), name: b"evil"}), tmp_path / "new", "no backup does")
    assert not list(tmp_path.rglob("evil"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE])
def test_only_plain_files(tmp_path: Path, archive: Path, kind: bytes) -> None:
    file = tmp_path / "links.tar.gz"
    with tarfile.open(file, "w:gz") as tar:
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(members(archive)[MANIFEST])
        tar.addfile(info, io.BytesIO(members(archive)[MANIFEST]))
        link = tarfile.TarInfo("models/it-en/default/card.json")
        link.type, link.linkname = kind, "/etc/passwd"
        tar.addfile(link)
    refused(file, tmp_path / "new", "no backup does")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": "20990101_future", "program": "9.0"}, ("20990101_future", "9.0")),
        ({"format": 2, "program": "9.0"}, ("newer program", "9.0")),
        ({"database": "database.dump"}, ("PostgreSQL", "SQLite", "corrections export")),
        ({"database": "../x"}, ("not one of ours",)),
        ({"more": 1}, ("not one of ours",)),
        ({"format": "1"}, ("not one of ours",)),
    ],
)
def test_what_this_program_cannot_put_back(
    archive: Path, tmp_path: Path, change: dict[str, object], words: tuple[str, ...]
) -> None:
    content = members(archive)
    manifest = json.dumps({**json.loads(content[MANIFEST]), **change}).encode()
    refused(written(tmp_path / "changed.tar.gz", {**content, MANIFEST: manifest}), tmp_path / "new", *words)


def test_an_older_schema_is_put_back(archive: Path, tmp_path: Path) -> None:
    """The server brings it up to date."""
    content = members(archive)
    oldest = sorted(dumps.known_revisions())[0]
    manifest = json.dumps({**json.loads(content[MANIFEST]), "schema": oldest}).encode()
    file = written(tmp_path / "old.tar.gz", {**content, MANIFEST: manifest})
    assert restore(file, place_in(tmp_path / "new"), nobody)[0].schema == oldest


def test_a_folder_that_holds_other_things_is_taken(archive: Path, tmp_path: Path) -> None:
    """Such as `lost+found` of a new disk, or the files of a new home folder."""
    (tmp_path / "new" / "lost+found").mkdir(parents=True)
    (tmp_path / "new" / "models").mkdir()
    restore(archive, place_in(tmp_path / "new"), nobody)
    assert (tmp_path / "new" / "models" / PAIR / "second").is_dir()
