"""Which outputs are refused since they are inputs, and that only one run has an output at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.corpora.files import places
from app.corpora.layout import Layout, alone
from app.errors import AppError


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a file; `link` leads there too."""
    folder = tmp_path / "it"
    places.write(f"{folder}/a.txt", b"42\n")
    (tmp_path / "link").symlink_to(folder)
    return folder


@pytest.mark.parametrize(
    "target", ["it", "it/en", "link", "link/en", "file://{}/it", "file://{}/link/en", "link/../it"]
)
def test_an_output_in_the_input_is_refused_however_it_is_written(source: Path, target: str) -> None:
    place = target.format(source.parent) if "{}" in target else f"{source.parent}/{target}"
    with pytest.raises(AppError, match="must not lie in the input"):
        Layout.of(str(source), place)


def test_a_neighbour_is_not_in_the_input(source: Path) -> None:
    for target in (f"{source}/../en", f"file://{source.parent}/en", f"{source}s"):
        layout = Layout.of(f"file://{source}", target)
        assert not places.is_url(layout.root)
        layout.check_apart(places.found_at(layout.source))


def test_an_output_that_is_an_input_is_refused(source: Path) -> None:
    places.write(f"{source}/it/a.txt", b"43\n")
    layout = Layout.of(str(source), str(source.parent))
    layout.check_apart([file for file in places.found_at(layout.source) if file.name == "a.txt"])
    with pytest.raises(AppError, match=r"it/a\.txt: it is an input"):
        layout.check_apart(places.found_at(layout.source))


def test_nothing_of_the_lock_is_left_after_an_error(source: Path) -> None:
    layout = Layout.of(str(source), f"{source.parent}/en")
    with pytest.raises(KeyError), alone(layout):
        raise KeyError
    assert not (source.parent / "en").exists()
    (source.parent / "en").mkdir()
    with alone(layout):
        assert [path.name for path in (source.parent / "en").iterdir()] == ["_traghetto.lock"]
    assert list((source.parent / "en").iterdir()) == []


LOCKED = """
import fcntl, os, sys
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.lockf(descriptor, fcntl.LOCK_EX)
print("locked", flush=True)
sys.stdin.read()
"""


def test_a_lock_on_a_file_that_was_removed_is_none(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run ends between our opening and our locking: whoever comes next would lock a new file of that name."""
    import fcntl

    layout = Layout.of(str(source), f"{source.parent}/en")
    lock, path, lockf = layout.root + ".lock", Path(f"{layout.root}.lock"), fcntl.lockf

    def ended_before(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "lockf", lockf)
        path.unlink()
        path.parent.rmdir()
        lockf(descriptor, how)

    monkeypatch.setattr(fcntl, "lockf", ended_before)
    with alone(layout):
        assert path.exists()
        descriptors = [link.resolve() for link in Path("/proc/self/fd").iterdir() if str(link.resolve()) == lock]
        assert len(descriptors) == 1


def test_another_process_keeps_its_lock(source: Path) -> None:
    layout = Layout.of(str(source), f"{source.parent}/en")
    path = Path(f"{layout.root}.lock")
    path.parent.mkdir()
    with subprocess.Popen(
        [sys.executable, "-S", "-c", LOCKED, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"locked\n"
        with pytest.raises(AppError, match="another process is writing it"), alone(layout):
            pass
        assert path.exists()
        other.communicate(b"")
    with alone(layout):
        pass
    assert not path.exists()
