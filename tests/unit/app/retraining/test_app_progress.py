"""The files by which processes tell each other how far a retraining is."""

from __future__ import annotations

import json
import os
import uuid
from pathlib import Path

import pytest

from app.retraining import progress
from app.retraining.progress import KEPT, Reader, forget_old, progress_file, tell
from app.retraining.stopping import ask_here
from app.settings import Settings

ID = uuid.UUID(int=1)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def test_events_come_with_their_numbers_whenever_they_are_whole(settings: Settings) -> None:
    reader = Reader(progress_file(settings, ID))
    assert reader.read() == [], "a run that has told nothing yet"
    tell(settings, ID, progress.BEGUN, pair="it-en", parent="default", candidate="c", corrections=2, secret="x")
    assert reader.read() == [
        (1, {"event": "begun", "pair": "it-en", "parent": "default", "candidate": "c", "corrections": 2})
    ]
    line = json.dumps({"event": "stage", "stage": "training", "done": 1, "total": 2}) + "\n"
    with progress_file(settings, ID).open("a") as file:
        file.write("no json\n" + line[:20])
        file.flush()
        assert reader.read() == []
        file.write(line[20:])
    assert reader.read() == [(3, {"event": "stage", "stage": "training", "done": 1, "total": 2})]
    assert reader.read() == []


def test_no_more_is_read_than_a_run_can_write(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "MOST_BYTES", 100)
    for _ in range(10):
        tell(settings, ID, progress.ENDED)
    reader = Reader(progress_file(settings, ID))
    assert len(reader.read()) == 5 and reader.read() == []


def test_only_the_newest_files_stay(settings: Settings) -> None:
    ids = [uuid.UUID(int=number) for number in range(KEPT + 3)]
    for age, id in enumerate(reversed(ids)):
        tell(settings, id, progress.ENDED)
        ask_here(settings, id)
        os.utime(progress_file(settings, id), (10_000 + age, 10_000 + age))
    forget_old(settings)
    left = {path.stem for path in (settings.data_dir / progress.FOLDER).iterdir()}
    assert left == {str(id) for id in ids[:KEPT]}


def test_a_file_that_cannot_be_written_stops_nobody(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    (settings.data_dir / progress.FOLDER).write_text("in the way")
    tell(settings, ID, progress.BEGUN)
    assert "untold" in caplog.text
