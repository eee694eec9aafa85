"""The suite of the server, with a tiny untrained model that a real server serves: that it measures, not what."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from patience import wait_until

from app.settings import Settings
from benchmarks.suites import serve, setup
from benchmarks.suites.clients import Clients
from benchmarks.suites.contest import compete
from benchmarks.suites.processes import Programs
from benchmarks.suites.setup import Setup

OTHERS = [f"La frase numero {number} di chi ha molto da chiedere." for number in range(3000)]


@pytest.fixture
def tiny(tiny_data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """A few lines, as short as they can be measured."""
    for name, value in (("COUNT", 64), ("SAMPLE", 8)):
        monkeypatch.setattr(setup, name, value)
    for name, value in (("CYCLES", 1), ("ASKED", 3), ("VERIFIED", 16), ("OPEN_CONNECTIONS", 8)):
        monkeypatch.setattr(serve, name, value)
    found = Setup(tiny_data_dir / "models" / "it-en" / "default", tmp_path, seconds=0.01)
    found.programs = Programs(tiny_data_dir)  # whose server takes its models from there
    return found


def test_everything_is_measured_beside_the_translator_alone(tiny: Setup) -> None:
    with serve.contests(tiny) as contests:
        closed = [one for one in contests if one.table != serve.BESIDE]
        found = compete("serve", closed, 1)
    assert {figure.table for figure in found} == {serve.SINGLE, serve.LISTS, serve.GREEDY, serve.OPEN}
    assert all(value > 0 for figure in found for value in figure.values)
    assert {figure.unit for figure in found if figure.program == serve.OURS} == {
        "sentences/s", "ms (p50)", "ms (p95)", "ms (p99)",
    }  # fmt: skip
    assert len(contests) - len(closed) == 2, "beside many sentences, and beside nonsense"


@pytest.fixture
def clients(tiny: Setup, tmp_path: Path) -> Iterator[Clients]:
    with tiny.programs.serving("Ciao.") as server:
        yield Clients(server, tmp_path)


def test_others_ask_meanwhile_and_are_forgotten(clients: Clients) -> None:
    with clients.asking(OTHERS, 100):
        assert clients._waiting() > 0
    assert clients._waiting() == 0
    with pytest.raises(RuntimeError, match="too soon"), clients.asking(OTHERS[:1000], 100):
        clients.ask(["Un gatto."], 1, Settings().default_beam)
        wait_until(lambda: clients._waiting() == 0, "the others are answered")
        clients.ask(["Un altro gatto."], 1, Settings().default_beam)


def test_translations_of_others_are_an_error(clients: Clients) -> None:
    clients.ask(["Il gatto nero.", "Dove abiti?"], 2, 1)
    known = clients._known[1]
    clients.know(1, {"Il gatto nero.": known["Dove abiti?"], "Dove abiti?": known["Il gatto nero."]})
    with pytest.raises(RuntimeError, match="2 texts got the translation of another"):
        clients.ask(["Il gatto nero.", "Dove abiti?"], 2, 1)
