"""The simulation of capacity finds what is known of simple queues, and loses nobody."""

import random
import statistics
from dataclasses import replace

import pytest
import simpy

from benchmarks.capacity import report, scenarios, service, sizing
from benchmarks.capacity.cores import Cores
from benchmarks.capacity.fleet import Fleet, Plan
from benchmarks.capacity.replica import ANSWERED, LATE, LOST, REFUSED
from benchmarks.capacity.scenarios import Scenario

STEADY = service.Service({1: [0.01]}, [10])
"""100 sentences/s, one after the other."""
BATCHES = service.Service({1: [0.004], 8: [0.02], 16: [0.04]}, [8, 10, 12], request_s=0.0005, load_s=1.0)
"""400 sentences/s in batches of 8."""
QUEUE = Plan(60.0, seconds=400.0, warm_s=20.0, batching=False)
"""A load of 0.6."""
FLEET = Plan(200.0, replicas=3, seconds=12.0)


def exponential() -> service.Service:
    rng = random.Random(2)
    return replace(STEADY, batches={1: [rng.expovariate(100) for _ in range(20_000)]})


@pytest.mark.parametrize(
    ("served", "expected_ms"),
    [(STEADY, 10 * (1 + 0.6 / (2 * (1 - 0.6)))), (exponential(), 10 / (1 - 0.6))],
    ids=["M/D/1", "M/M/1"],
)
def test_the_mean_wait_is_that_of_the_formula(served, expected_ms):
    found = Fleet(served, QUEUE).run()
    assert statistics.fmean(found.waits_ms()) == pytest.approx(expected_ms, rel=0.06)
    assert found.busy == pytest.approx(0.6, rel=0.05)


def test_what_runs_at_once_shares_the_cores():
    env = simpy.Environment()
    cores, ended = Cores(env, 2), {}

    def job(name: str, begins: float, seconds: float):
        yield env.timeout(begins)
        yield cores.run(seconds)
        ended[name] = env.now

    for one in (("a", 0.0, 2.0), ("b", 0.0, 4.0), ("c", 0.0, 4.0)):
        env.process(job(*one))
    env.run()
    assert ended == {"a": pytest.approx(3.0), "b": pytest.approx(5.0), "c": pytest.approx(5.0)}
    assert cores.busy_s == pytest.approx(10.0)


def test_the_same_seed_finds_the_same():
    first, again, other = (Fleet(BATCHES, replace(FLEET, seed=seed)).run().waits_ms() for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_batches_make_more_of_a_core_than_single_sentences():
    one_by_one = Fleet(replace(BATCHES, request_s=0.0), Plan(240.0, seconds=10.0, batching=False)).run()
    together = Fleet(replace(BATCHES, request_s=0.0), Plan(240.0, seconds=10.0)).run()
    assert together.busy < 0.95 * one_by_one.busy


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"burst": 3.0, "burst_s": 2.0, "burst_every_s": 8.0},
        {"lose_at": 5.0, "replace_s": 4.0},
        {"promote_at": 5.0},
        {"per_s": 600.0, "replicas": 1, "most_replicas": 4, "scale_after_s": 2.0, "scale_start_s": 3.0},
        {"per_request": 4, "per_s": 50.0},
    ],
    ids=["steady", "bursts", "lost", "promoted", "scaled", "lists"],
)
def test_every_request_is_answered_once(changed):
    found = Fleet(BATCHES, replace(FLEET, **changed)).run()
    assert len(found.requests) == found.count(ANSWERED)
    assert all(one.ended > one.asked for one in found.requests)
    assert found.per_s == pytest.approx(len(found.requests) * len(found.requests[0].tokens) / 12.0, rel=0.1)


def test_a_lost_node_loses_only_those_who_do_not_try_again():
    lost = replace(FLEET, lose_at=5.0, replace_s=5.0)
    again, once = Fleet(BATCHES, lost).run(), Fleet(BATCHES, replace(lost, tries=1)).run()
    assert again.count(LOST) == 0 < again.tried_again
    assert once.count(LOST) > 0 == once.tried_again
    assert [count for _, count in again.replicas] == [3, 2, 3]


def test_too_much_is_refused_or_late_and_nobody_waits_for_ever():
    slow = replace(BATCHES, batches={1: [0.4]}, tokens=[70])
    found = Fleet(slow, Plan(120.0, seconds=40.0)).run()
    assert found.count(REFUSED) > 0
    assert found.count(LATE) > 0
    assert found.count(ANSWERED, REFUSED, LATE) == len(found.requests)
    assert max(found.waits_ms()) < 40_000


def test_the_average_load_is_the_same_with_bursts():
    plan = replace(FLEET, per_s=100.0, seconds=100.0, burst=3.0)
    assert len(Fleet(BATCHES, plan).run().requests) / 100 == pytest.approx(100, rel=0.05)


def test_times_between_two_measured_sizes_are_between_them():
    rng = random.Random(1)
    assert BATCHES.draw(1, rng) == 0.004
    assert BATCHES.draw(12, rng) == pytest.approx(0.03)
    assert BATCHES.draw(32, rng) == pytest.approx(0.08)


def test_machines_and_costs_follow_from_what_is_assumed():
    given = sizing.Assumptions(peak=2.0, utilisation=0.5, cores=10, spare=1, price_core_hour=0.1, gpu_per_s=10_000.0)
    fleet = sizing.machines(86_400e3, 100.0, given)  # 1,000 a second, 2,000 at the peak
    assert (fleet.per_s, fleet.units) == (2000.0, 5)
    assert fleet.cost_a_day == pytest.approx(5 * 24.0)
    assert fleet.follows_a_day == pytest.approx(3 * 24.0)
    assert fleet.a_million(86_400e3) == pytest.approx(120 / 86.4)
    assert sizing.gpus(86_400e3, given).units == 2
    assert sizing.gpu_break_even(100.0, given) == pytest.approx(3000.0)
    assert sizing.gpus(1e6, replace(given, gpu_per_s=0.0)) is None


def test_what_is_kept_is_read_again_and_others_stay(tmp_path):
    file = tmp_path / "capacity.json"
    service.update(file, "scenarios", [1])
    service.write(file, BATCHES)
    assert service.read(file) == BATCHES
    assert '"scenarios"' in file.read_text()


def test_the_committed_measurement_can_be_simulated():
    found = service.read()
    assert found.machine["date"]
    assert 0 < found.request_s < found.batches[1][0]
    plans = scenarios.plans(found)
    assert max(plan.per_s * plan.per_request for plan in plans.values()) <= 1.01 * scenarios.capacity(found)
    assert "not measured" in report.sizing(found.server_per_s, sizing.Assumptions())


def test_tables_and_pictures(tmp_path):
    found = [Scenario(name, FLEET, Fleet(BATCHES, FLEET).run()) for name in ("steady, 1 %", "another")]
    assert report.scenarios(found).count("\n") == 4
    report.pictures(found, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"capacity-load.svg", "capacity-days.svg"}
