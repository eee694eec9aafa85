"""Proxies before simulated replicas let through what the formulas say, and wait as long."""

import itertools
import json
import statistics
from dataclasses import replace
from operator import itemgetter

import pytest

from benchmarks.capacity import replicas, report, service
from benchmarks.capacity.fleet import Fleet, Front, Plan
from benchmarks.cluster import ALONE, AT_ONCE, UNTRANSLATED

EVEN = service.Service({1: [0.004], 8: [0.032], 16: [0.064]}, [8], request_s=0.0005)
"""4 ms a sentence, whatever the batch; 222 single sentences/s of one core."""
INSTANT = service.Service({1: [1e-6]}, [8])
CROWD = Plan(0.0, clients=64, seconds=12.0, warm_s=2.0, per_request=1)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"replicas": 2}, 2 / 0.0045),
        ({"replicas": 2, "front": Front(1, 0.0005, 0.002)}, 2 / 0.0065),
        ({"replicas": 2, "front": Front(1, 0.0035, 0.002)}, 1 / 0.0035),
        ({"replicas": 2, "front": Front(2, 0.0035, 0.002)}, 2 / 0.0065),
        ({"replicas": 2, "front": Front(2, 0.02, 0.002)}, 2 / 0.02),
        ({"cores": 4, "front": Front(1, 0.0005, 0.004)}, 1 / 0.0045),
    ],
    ids=["replicas", "replicas behind a proxy", "the proxy", "replicas behind two", "both proxies", "the event loop"],
)
def test_what_is_narrowest_lets_no_more_through(changed, expected):
    plan = replace(CROWD, clients=128, **changed)
    found = Fleet(EVEN, plan).run()
    assert replicas.at_most(EVEN, plan) == pytest.approx(expected)
    assert found.per_s == pytest.approx(expected, rel=0.03)
    busy = found.per_s * plan.front.proxy_s / max(1, plan.front.proxies)
    assert found.proxies_busy == pytest.approx(busy, abs=0.03)


def test_a_list_goes_through_a_proxy_once():
    plan = replace(CROWD, clients=8, per_request=16, front=Front(1, 0.1, 0.002))
    assert Fleet(EVEN, plan).run().per_s == pytest.approx(160, rel=0.03)
    assert replicas.at_most(EVEN, plan) == pytest.approx(160)


@pytest.mark.parametrize(("count", "load"), [(1, 0.6), (2, 0.3)], ids=["one", "two"])
def test_the_mean_wait_at_a_proxy_is_that_of_m_d_1(count, load):
    plan = Plan(60.0, seconds=400.0, warm_s=20.0, batching=False, front=Front(count, 0.01))
    found = Fleet(INSTANT, plan).run()
    assert statistics.fmean(found.waits_ms()) == pytest.approx(10 * (1 + load / (2 * (1 - load))), rel=0.06)
    assert found.proxies_busy == pytest.approx(load, rel=0.05)


def test_without_a_front_nothing_changes():
    plan = Plan(150.0, replicas=2, seconds=6.0)
    assert Fleet(EVEN, plan).run().waits_ms() == Fleet(EVEN, replace(plan, front=Front(0, 9.0))).run().waits_ms()


def test_clients_ask_again_as_soon_as_they_are_answered():
    found = Fleet(EVEN, replace(CROWD, clients=3)).run()
    moments = [(one.asked, 1) for one in found.requests] + [(one.ended, -1) for one in found.requests]
    under_way = 0
    for moment, changes in itertools.groupby(sorted(moments), itemgetter(0)):
        under_way += sum(change for _, change in changes)
        assert under_way == 3 or moment >= CROWD.seconds
    assert under_way == 0


def measured(proxy_ms: float) -> dict:
    """As `benchmarks.cluster` writes it."""

    def one(server_ms: float, proxy_ms: float) -> dict:
        figures = {"per_s": 1.0, "p50_ms": 1.0, "p95_ms": 1.0, "server_ms": server_ms, "proxy_ms": proxy_ms}
        asked = {UNTRANSLATED: -1.0, AT_ONCE: 0.0, ALONE: 1.0}  # not in the order of the table
        return {
            shape: {
                who: {**figures, "rest_ms": 0.0, "client_ms": 0.1, "server_ms": server_ms + more}
                for who, more in asked.items()
            }
            for shape in replicas.SHAPES
        }

    return {"uvicorn": one(0.5, 0.0), "ray": one(2.5, proxy_ms), "haproxy": one(0.8, 0.1)}


def test_two_replicas_behind_one_slow_proxy_answer_as_many_as_it_lets_through():
    found = {(pair.way, pair.shape): pair for pair in replicas.run(EVEN, measured(proxy_ms=4.0))}
    ratios = {way: found[way, "single"].ratio for way in replicas.WAYS}
    assert ratios["servers behind nginx"] == pytest.approx(2.0, abs=0.05)
    assert ratios["Ray, HAProxy on one node"] == pytest.approx(2.0, abs=0.05)
    assert ratios["Ray, its proxy on each of two nodes"] == pytest.approx(2.0, abs=0.07)
    assert ratios["Ray, its proxy on one node"] == pytest.approx(250 / (1000 / 6.5), abs=0.05)
    assert found["Ray, its proxy on one node", "single"].proxies_busy == pytest.approx(1.0, abs=0.02)
    assert found["Ray, its proxy on one node", "list of 16"].ratio == pytest.approx(2.0, abs=0.05)
    assert report.replicas(list(found.values())).count("\n") == 2 + len(found)


def test_the_table_of_costs_has_its_columns_by_name():
    row = report.costs(measured(proxy_ms=4.0)).splitlines()[2]
    assert row.split(" | ")[6:8] == ["0.50 / -0.50", "0.00 / 0.00"]


def test_the_committed_table_is_that_of_the_formula():
    rows = json.loads(service.FILE.read_text())["replicas"]
    assert [(row["requests"], row["way"]) for row in rows] == [*itertools.product(replicas.SHAPES, replicas.WAYS)]
    served, medians = service.read(), replicas.read()
    for row in rows:
        plans = replicas.plans(medians, row["way"], row["requests"])
        limits = [replicas.at_most(served, plan) for plan in plans]
        assert [row["one_per_s"], row["two_per_s"]] == pytest.approx(limits, rel=0.07)


def test_on_ray_a_replica_takes_more_than_a_server():
    medians = replicas.read()
    for way, shape in itertools.product(replicas.WAYS, replicas.SHAPES):
        for plan in replicas.plans(medians, way, shape):
            assert (plan.front.extra_s > 0) == (plan.front.proxy_s > 0) == (way != "servers behind nginx")
