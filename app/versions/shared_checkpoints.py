"""Copies of a training's checkpoints in a store, so that another machine can go on: what `train --checkpoints` does.

    <url>/<pair>/<version>/last.safetensors, ...    the files of the run's folder, each as it was last seen
    <url>/<pair>/<version>/files.json               {"last.safetensors": 1200, "source.model": null, ...}: their names,
                                                    and how many steps are in the checkpoint

A thread looks at the folder and sends what has changed; the training never waits for it, and goes on if it fails.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from app.errors import AppError, StoreDown
from app.versions.shared_objects import Objects
from app.versions.shared_versions import check_file_name
from model.errors import ModelError

log = logging.getLogger("traghetto.checkpoints")

LOOK_EVERY_S = 5.0
LAST, NAMES = "last.safetensors", "files.json"
PARTIAL, FETCHED = ".partial", ".fetched."
LEFT_OVER_S = 300.0
"""A fetch in whose folder nothing has changed for so long was killed: a store that says nothing is given up earlier."""
State = dict[str, tuple[int, int]]
"""Name of a file -> when it was changed, in nanoseconds, and its bytes."""


class Listing(NamedTuple):
    """What `files.json` says."""

    names: list[str]
    """The checkpoint last."""
    steps: int | None
    """In the checkpoint; None if it does not say, as those of before, which were lists of names."""


class Checkpoints:
    """The folder of one run, and its copy."""

    def __init__(self, url: str, folder: Path, steps: Callable[[Path], int]) -> None:
        """`steps`: how many are in a checkpoint, that is: `training.run.checkpoint.steps_in`."""
        self._objects, self._folder, self._steps = Objects(url), folder, steps
        self._place = f"{folder.parent.name}/{folder.name}"
        self._sent: State = {}
        self.is_behind = False
        """Whether the store did not take what was sent last."""
        self._may_be_farther = False
        """Whether the run goes on without having seen the copy."""

    @property
    def would_be_lost(self) -> bool:
        """Whether there is a copy of a run that the folder knows nothing of: the first checkpoint would replace it.

        Raises:
            StoreDown: the store does not answer.
        """
        return not (self._folder / LAST).exists() and self._objects.read(f"{self._place}/{NAMES}") is not None

    def fetch(self) -> bool:
        """Fill the folder from the copy, unless it has a checkpoint that is as far or farther; whether it did.

        While the store is away, a run goes on from the checkpoint that the folder has, with a warning.

        Raises:
            StoreDown: the store does not answer, and the folder has no checkpoint.
            AppError: the copy is not whole; the folder stays as it is.
        """
        self._clear_left_over()
        try:
            listing = self._listing()
            return listing is not None and self._fetch_farther(listing)
        except StoreDown as error:
            if not (self._folder / LAST).exists():
                raise
            log.warning("the run goes on from the checkpoint that is here; is the copy farther? %s", error)
            self._may_be_farther = True
            return False

    def _clear_left_over(self) -> None:
        """What fetches that were killed have left; in a folder that machines share, another may be going on."""
        for left in self._folder.glob(f"{FETCHED}*"):
            with contextlib.suppress(OSError):  # it is just gone
                changed = max(path.stat().st_mtime for path in (left, *left.iterdir()))
                if time.time() - changed > LEFT_OVER_S:
                    shutil.rmtree(left, ignore_errors=True)

    def _fetch_farther(self, listing: Listing) -> bool:
        if listing.steps is not None and self._has(listing.steps):
            return False
        self._folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=FETCHED, dir=self._folder) as made:  # others may fetch here too
            fetched = Path(made)
            self._fetch(LAST, fetched)
            if self._has(self._steps(fetched / LAST)):
                return False
            for name in listing.names:
                if name != LAST:
                    self._fetch(name, fetched)
            self._take(fetched, listing.names)
        return True

    def _has(self, steps: int) -> bool:
        """Whether the folder has a checkpoint with so many steps or more."""
        own = self._folder / LAST
        return own.exists() and self._steps(own) >= steps

    def _listing(self) -> Listing | None:
        """What there is of the copy; None if there is none."""
        content = self._objects.read(f"{self._place}/{NAMES}")
        if content is None:
            return None
        try:
            listed = json.loads(content)
            names = [str(name) for name in listed]
            for name in names:
                check_file_name(name, self._objects.url)
            steps = int(listed[LAST]) if isinstance(listed, dict) else -1
        except (ValueError, TypeError, KeyError, ModelError) as error:
            raise AppError(f"{self._objects.url}/{self._place}/{NAMES} is not one of ours") from error
        return Listing(sorted(names, key=lambda name: name == LAST), None if steps < 0 else steps)

    def _fetch(self, name: str, folder: Path) -> None:
        if not self._objects.fetch(f"{self._place}/{name}", folder / name):
            raise AppError(f"{self._objects.url}/{self._place} lacks {name}")
        (folder / name).chmod(0o644)

    def _take(self, fetched: Path, names: list[str]) -> None:
        """Put what was fetched into the folder; shards of other best weights, of which there were more, would mix."""
        for path in self._folder.glob("best*"):
            if path.name not in names:
                path.unlink(missing_ok=True)  # by now, another machine on the same folder may have done so
        for name in names:
            (fetched / name).replace(self._folder / name)

    def send(self) -> None:
        """Copy what has changed since it was last sent, the checkpoint after all that it needs.

        A copy that nobody has looked at, since the store was away, and that is farther, stays until this run is as far.
        """
        found = self._state()
        changed = sorted((name for name in found if self._sent.get(name) != found[name]), key=lambda name: name == LAST)
        try:
            if changed:
                self._send(changed, found)
        except (AppError, OSError) as error:  # such as a file that is gone by now
            if not self.is_behind:
                log.warning("checkpoints are not copied, training goes on: %s", error)
            self.is_behind = True
            return
        self.is_behind = False
        self._sent = found

    def _send(self, changed: list[str], found: State) -> None:
        if self._may_be_farther:
            self._check_copy()
        steps = self._steps(self._folder / LAST) if LAST in found else None  # at least so many: it may be renewed now
        for name in changed:
            self._objects.send(self._folder / name, f"{self._place}/{name}")
        if steps is not None:
            self._send_names({name: steps if name == LAST else None for name in sorted(found)})

    def _check_copy(self) -> None:
        """Raises: AppError: the copy is farther than the folder."""
        listing = self._listing()
        if listing is not None and listing.steps is not None and not self._has(listing.steps):
            raise AppError(f"the copy has {listing.steps} steps, and stays until this run has as many")
        self._may_be_farther = False

    def _send_names(self, names: dict[str, int | None]) -> None:
        path = self._folder / f".{NAMES}"
        path.write_text(json.dumps(names), encoding="utf-8")
        self._objects.send(path, f"{self._place}/{NAMES}")
        path.unlink()

    def _state(self) -> State:
        found: State = {}
        for path in self._folder.glob("[!.]*"):
            with contextlib.suppress(OSError):  # it has just been renamed
                if path.is_file() and path.suffix != PARTIAL:
                    status = path.stat()
                    found[path.name] = status.st_mtime_ns, status.st_size
        return found


@contextlib.contextmanager
def copied(checkpoints: Checkpoints) -> Iterator[None]:
    """Send changes while this lasts, and what is left at the end; under `torchrun` the first worker does."""
    if os.environ.get("RANK", "0") != "0":
        yield
        return
    over = threading.Event()

    def watch() -> None:
        while not over.wait(LOOK_EVERY_S):
            checkpoints.send()

    thread = threading.Thread(target=watch, name="checkpoints", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        checkpoints.send()
        if checkpoints.is_behind:
            log.warning("the copy of the checkpoints is not the last that this run has")
