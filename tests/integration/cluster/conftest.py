"""A server of two replicas on a Ray of its own, once for all tests here: that takes half a minute."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cluster_kit import Cluster, end, start


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two replicas that serve."""
    cluster = start(tmp_path_factory.mktemp("cluster"), ["--replicas", "2"])
    try:
        cluster.wait_for("2 running")
        yield cluster
    finally:
        end(cluster)
