"""The metrics of all replicas at one address: whichever is asked for `/metrics` answers for all of them.

Each replica tells what it has counted to an actor every other second, and hears what the others have told. The actor
belongs to the replica that began it and ends with it; the next to tell begins another, and nothing is lost, for
replicas keep their counts themselves. Whoever asks for `/metrics` waits for none of that.
"""

from __future__ import annotations

import importlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

log = logging.getLogger("traghetto.cluster")

ACTOR = "traghetto-metrics"
TELL_EVERY_S = 2.0
STALE_S = 15.0
"""What was told so long ago is left out: who told it is gone."""
ANSWER_TIMEOUT_S = 10.0
"""An actor that only begins slowly is asked again, not replaced."""


class Gathered:
    """What each replica told last. One of them, as an actor, for all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: dict[str, tuple[float, bytes]] = {}

    def tell(self, replica: str, text: bytes) -> dict[str, bytes]:
        """Keep what `replica` has counted, as `Metrics.render` writes it; what the others told, by replica."""
        now = self._clock()
        self._told[replica] = (now, text)
        self._told = {name: told for name, told in self._told.items() if now - told[0] < STALE_S}
        return {name: told for name, (_, told) in self._told.items() if name != replica}


Tell = Callable[[str, bytes], dict[str, bytes]]
"""As `Gathered.tell`."""


class GatheredMetrics:
    """One replica's part."""

    def __init__(self, replica: str, render: Callable[[], bytes], begin: Callable[[], Tell]) -> None:
        """`begin` finds or begins the `Gathered` of all, and gives its `tell`; both may take their time and fail."""
        self._replica, self._render, self._begin = replica, render, begin
        self._tell: Tell | None = None
        self._others: dict[str, bytes] = {}
        self._heard_at = 0.0
        self._is_away = False

    def start(self) -> None:
        """Tell and hear from now on, in a thread that ends with the process."""
        threading.Thread(target=self._run, name="metrics", daemon=True).start()

    def all(self, own: bytes) -> bytes:
        """`own` metrics and what the others told lately, in one text."""
        others = self._others if time.monotonic() - self._heard_at < STALE_S else {}
        return merged({**others, self._replica: own})

    def exchange(self) -> None:
        """Tell and hear once; if that cannot be, the next time may be better."""
        try:
            if self._tell is None:
                self._tell = self._begin()
            self._others, self._heard_at = self._tell(self._replica, self._render()), time.monotonic()
        except Exception as error:  # noqa: BLE001 - whatever it is, translating goes on
            if not self._is_away:
                log.warning("the metrics of other replicas are not to be had for now: %s", type(error).__name__)
            self._is_away = True
            if not isinstance(error, TimeoutError):
                self._tell = None
        else:
            self._is_away = False

    def _run(self) -> None:
        while True:
            self.exchange()
            time.sleep(TELL_EVERY_S)


def begin_actor() -> Tell:
    """The `Gathered` of this Ray, which the first to ask begins."""
    ray: Any = importlib.import_module("ray")
    gathered = ray.remote(Gathered).options(name=ACTOR, get_if_exists=True, num_cpus=0).remote()

    def tell(replica: str, text: bytes) -> dict[str, bytes]:
        others: dict[str, bytes] = ray.get(gathered.tell.remote(replica, text), timeout=ANSWER_TIMEOUT_S)
        return others

    return tell


def merged(texts: Mapping[str, bytes]) -> bytes:
    """Texts that Prometheus could read as one such text, in which each series has a label `replica`.

    The lines of a metric have to stand together: those of the first replica, then those of the others.
    """
    metrics: dict[str, list[str]] = {}
    for replica, text in sorted(texts.items()):
        lines: list[str] = []
        for line in text.decode().splitlines():
            if line.startswith("#"):  # `# HELP name ...`, then `# TYPE name ...`
                lines = metrics.setdefault(line.split(" ", 3)[2], [])
                if line not in lines[:2]:
                    lines.append(line)
            else:
                lines.append(_labelled(line, replica))
    return "".join(f"{line}\n" for lines in metrics.values() for line in lines).encode()


def _labelled(line: str, replica: str) -> str:
    """`name{label="value"} 1.0` or `name 1.0`, with the replica as another label."""
    name, brace, rest = line.partition("{")
    if brace:
        return f'{name}{{replica="{replica}",{rest}'
    name, _, value = line.partition(" ")
    return f'{name}{{replica="{replica}"}} {value}'
