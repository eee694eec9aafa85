"""What `traghetto serve --cluster` refuses before it starts anything."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest
from cli_kit import failed, in_process

from app.cluster.options import ClusterOptions
from app.cluster.replica import Replica
from app.settings import load_settings


@pytest.mark.parametrize(
    ("arguments", "status", "why"),
    [
        (["--port", "0"], 2, "--port"),
        (["--workers", "2"], 2, "--replicas"),
        (["--max-replicas", "1"], 2, "--max-replicas"),
        (["--replicas", "1000", "--cores", "2"], 2, "2000"),
        (["--ray-address", "127.0.0.1:1"], 2, "TRAGHETTO_ADMIN_KEY"),
        (["--host", "0.0.0.0"], 2, "TRAGHETTO_ADMIN_KEY"),
    ],
)
def test_what_a_cluster_cannot_be(arguments: list[str], status: int, why: str, tmp_path: Path) -> None:
    failed(in_process("serve", "--cluster", *arguments, TRAGHETTO_DATA_DIR=str(tmp_path)), status, why)


def test_a_port_that_somebody_has(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        told = in_process("serve", "--cluster", "--port", port, TRAGHETTO_DATA_DIR=str(tmp_path))
    failed(told, 1, "cannot listen", port)


def test_haproxy_without_an_administration_key(tmp_path: Path) -> None:
    told = in_process("serve", "--cluster", TRAGHETTO_DATA_DIR=str(tmp_path), RAY_SERVE_ENABLE_HA_PROXY="1")
    failed(told, 2, "TRAGHETTO_ADMIN_KEY")


def test_a_drain_longer_than_ray_waits(tmp_path: Path) -> None:
    told = in_process("serve", "--cluster", TRAGHETTO_DATA_DIR=str(tmp_path), TRAGHETTO_DRAIN_S="300")
    failed(told, 2, "TRAGHETTO_DRAIN_S")


def test_a_replica_has_the_settings_it_is_given_and_its_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAGHETTO_MAX_CHARS", "77")
    given = load_settings(data_dir=tmp_path / "data", max_texts=5).to_environment()
    monkeypatch.setenv("TRAGHETTO_REDIS_URL", "redis://of-the-node:6379")
    del given["TRAGHETTO_MAX_CHARS"]
    before = dict(os.environ)
    interval = sys.getswitchinterval()
    try:
        settings = Replica(given, cores=3)._app.state.services.settings
    finally:
        sys.setswitchinterval(interval)
        os.environ.clear()
        os.environ.update(before)
    assert (settings.max_texts, settings.max_chars, settings.redis_url, settings.threads) == (5, 10_000, None, 3)


def test_who_has_no_ray_is_told_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    failed(in_process("serve", "--cluster", TRAGHETTO_DATA_DIR=str(tmp_path)), 1, "make install-cluster")


def test_options_of_a_file_are_checked() -> None:
    with pytest.raises(ValueError, match="less than replicas"):
        ClusterOptions(replicas=3, max_replicas=2)
    with pytest.raises(ValueError, match="extra"):
        ClusterOptions.model_validate({"replica": 3})
