"""The installer's choice of a torch build: gigabytes are at stake, and a machine without a network must not wait."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.install import CPU_INDEX, World, plan_torch, reaches, requirement

ROOT = Path(__file__).parents[2]


def world(*, gpu: bool = False, network: bool = True, system: str = "Linux") -> World:
    return World(system, lambda: gpu, lambda url: network)


def never(*_: object) -> bool:
    raise AssertionError("asked without need")


def test_without_a_gpu_the_cpu_build_is_taken() -> None:
    plan = plan_torch("auto", "", world())
    assert plan.pip_options == ("--extra-index-url", CPU_INDEX)
    assert not plan.replace


def test_with_a_gpu_the_configured_index_is_used_and_nothing_probed() -> None:
    assert plan_torch("auto", "", World("Linux", lambda: True, never)).pip_options == ()


def test_cpu_can_be_chosen_beside_a_gpu() -> None:
    assert plan_torch("cpu", "", World("Linux", never, lambda url: True)).pip_options == (
        "--extra-index-url",
        CPU_INDEX,
    )


def test_cuda_can_be_chosen_without_a_gpu() -> None:
    assert plan_torch("cuda", "", World("Linux", never, never)).pip_options == ()


def test_unreachable_host_is_passed_over() -> None:
    plan = plan_torch("auto", "", world(network=False))
    assert plan.pip_options == ()
    assert "does not answer" in plan.note


def test_other_systems_have_no_cuda_to_avoid() -> None:
    assert plan_torch("auto", "", World("Darwin", never, never)).pip_options == ()


@pytest.mark.parametrize("installed", ["2.13.0+cpu", "2.13.0", "2.11.0+cu130"])
def test_what_is_installed_stays_when_nobody_chooses(installed: str) -> None:
    plan = plan_torch("auto", installed, World("Linux", never, never))
    assert (plan.pip_options, plan.replace) == ((), False)


@pytest.mark.parametrize(("choice", "installed", "replaced"), [
    ("cpu", "2.13.0+cpu", False),
    ("cpu", "2.13.0", True),
    ("cuda", "2.13.0", False),
    ("cuda", "2.13.0+cpu", True),
])  # fmt: skip
def test_a_choice_replaces_the_other_build(choice: str, installed: str, replaced: bool) -> None:
    assert plan_torch(choice, installed, world()).replace is replaced


def test_extras_are_asked_for_by_name() -> None:
    assert requirement(["dev", "bench"]).endswith("[dev,bench]")
    assert Path(requirement([])).samefile(ROOT)


@pytest.fixture
def refusing_server() -> Iterator[str]:
    class NotFound(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_error(404)

        def log_message(self, *arguments: object) -> None:
            del arguments

    with http.server.HTTPServer(("127.0.0.1", 0), NotFound) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_any_answer_counts_as_reached(refusing_server: str) -> None:
    assert reaches(refusing_server)


def test_nobody_there_is_found_out_quickly() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        started = time.monotonic()
        assert not reaches(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.3)
        assert time.monotonic() - started < 5
    assert not reaches("http://name.invalid/", timeout_s=0.3)


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As typed by a person, also when these tests themselves were started by make."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    command = ["make", "--no-print-directory", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_old_python_is_refused_with_what_to_do(tmp_path: Path) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    result = make("install", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}")
    assert result.returncode != 0
    assert "needs Python 3.11 or later" in result.stderr
    assert "make install PYTHON=" in result.stderr
    assert not (tmp_path / "venv").exists()


def test_a_python_that_all_pins_know_is_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """python3 may already be a version for which a pinned library has no wheel yet."""
    for name, answer in (
        ("python3", 'case "$2" in *"<="*"<="*) exit 1;; esac; echo newest'),
        ("python3.12", "echo known"),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{answer}\nexit 0\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    both = "CANDIDATES=python3 python3.12"
    assert make("install", both, f"VENV={tmp_path / 'venv'}").stdout.split()[-1] == "known"
    only = make("install", "CANDIDATES=python3", f"VENV={tmp_path / 'venv'}")
    assert only.stdout.split()[-1] == "newest"


def test_nothing_is_installed_twice(tmp_path: Path) -> None:
    for stamp in ("installed-auto", "installed-dev-auto", "installed-bench-auto", "native"):
        (tmp_path / f".{stamp}").touch()
    targets = ("install", "install-dev", "install-bench")
    assert make("--question", *targets, f"VENV={tmp_path}").returncode == 0, "make would install again"
    assert make("--question", "install", f"VENV={tmp_path}", "TORCH=cuda").returncode == 1, (
        "another build needs installing"
    )


@pytest.mark.parametrize("host", ["", "10.0.0.1"])
def test_host_of_the_shell_is_not_the_host_to_serve_on(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shells export HOST as this machine's name; listening there would need an admin key."""
    (tmp_path / ".installed-auto").touch()
    monkeypatch.setenv("HOST", "my-laptop")
    result = make("--dry-run", "serve", f"VENV={tmp_path}", *([f"HOST={host}"] if host else []))
    assert "my-laptop" not in result.stdout
    assert ("--host" in result.stdout) is bool(host)


def test_help_lists_what_people_type() -> None:
    shown = make().stdout
    assert all(f"make {target}" in shown for target in ("serve", "test", "check", "bench", "train-small"))


def test_installer_runs_on_the_standard_library_alone() -> None:
    command = [sys.executable, "-I", "-S", str(ROOT / "scripts" / "install.py"), "--help"]
    assert "--torch" in subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
