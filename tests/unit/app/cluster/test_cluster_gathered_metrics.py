"""The metrics of all replicas in one text: each series tells whose it is, and nothing else changes."""

from __future__ import annotations

import logging

import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.cluster.gathered_metrics import STALE_S, Gathered, GatheredMetrics, Tell, merged
from app.metrics import Metrics


def metrics_of(requests: int, version: str) -> bytes:
    metrics = Metrics()
    for _ in range(requests):
        metrics.request("v1", "/v1/translate", 200, 0.02)
    metrics.serving({"it-en": version})
    return metrics.render()


def test_each_series_tells_its_replica_and_nothing_else_changes() -> None:
    texts = {"b": metrics_of(3, "second"), "a": metrics_of(2, 'de"fa{}ult'), "c": Metrics().render()}
    together = list(text_string_to_metric_families(merged(texts).decode()))
    assert len({family.name for family in together}) == len(together), "each family is told once"
    for replica, text in texts.items():
        mine = [
            sample._replace(labels={name: value for name, value in sample.labels.items() if name != "replica"})
            for family in together
            for sample in family.samples
            if sample.labels["replica"] == replica
        ]
        alone = [sample for family in text_string_to_metric_families(text.decode()) for sample in family.samples]
        assert sorted(map(repr, mine)) == sorted(map(repr, alone))
    types = {family.name: family.type for family in together}
    assert (types["traghetto_requests"], types["traghetto_request_seconds"]) == ("counter", "histogram")


def test_one_replica_alone_and_none() -> None:
    alone = merged({"a": metrics_of(1, "default")})
    assert b'traghetto_model_info{replica="a",pair="it-en",version="default"} 1.0' in alone
    assert merged({}) == b""


def test_who_tells_nothing_any_more_is_left_out() -> None:
    now = [100.0]
    gathered = Gathered(clock=lambda: now[0])
    assert gathered.tell("a", b"old") == {}
    now[0] += STALE_S - 1
    assert gathered.tell("b", b"new") == {"a": b"old"}
    now[0] += 1
    assert gathered.tell("b", b"newer") == {}
    assert gathered.tell("a", b"back") == {"b": b"newer"}


class Replicas:
    """Those of one cluster, with a `Gathered` that may be slow or die."""

    def __init__(self) -> None:
        self.begun, self.error = 0, None
        self.gathered = Gathered()
        self.one, self.two = (
            GatheredMetrics(name, lambda name=name: f"# HELP x\nx {ord(name)}\n".encode(), self.begin) for name in "ab"
        )

    error: Exception | None

    def begin(self) -> Tell:
        self.begun += 1

        def tell(replica: str, text: bytes) -> dict[str, bytes]:
            if self.error is not None:
                raise self.error
            return self.gathered.tell(replica, text)

        return tell


def test_each_answers_for_all() -> None:
    replicas = Replicas()
    replicas.one.exchange()
    replicas.two.exchange()
    assert replicas.two.all(b"# HELP x\nx 7\n") == b'# HELP x\nx{replica="a"} 97\nx{replica="b"} 7\n', (
        "its own are fresh"
    )
    assert replicas.one.all(b"# HELP x\nx 7\n") == b'# HELP x\nx{replica="a"} 7\n', "it has not heard of the other yet"


@pytest.mark.parametrize(("error", "begun"), [(RuntimeError("it died"), 2), (TimeoutError("it begins"), 1)])
def test_one_that_died_is_begun_again_and_one_that_is_slow_is_asked_again(
    error: Exception, begun: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    replicas = Replicas()
    replicas.error = error
    for _ in range(3):
        replicas.one.exchange()
    assert caplog.text.count("not to be had") == 1, "it is told once"
    before = replicas.begun
    replicas.error = None
    replicas.one.exchange()
    assert replicas.begun - before == begun - 1
    replicas.two.exchange()
    assert b'{replica="a"}' in replicas.two.all(b"")


def test_what_was_heard_long_ago_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    replicas = Replicas()
    replicas.one.exchange()
    replicas.two.exchange()
    monkeypatch.setattr("app.cluster.gathered_metrics.STALE_S", 0.0)
    assert b'{replica="a"}' not in replicas.two.all(b"")
