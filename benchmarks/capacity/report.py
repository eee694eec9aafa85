"""Tables in Markdown, and pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.capacity.fleet import Found
from benchmarks.capacity.replica import ANSWERED
from benchmarks.capacity.replicas import Pair
from benchmarks.capacity.scenarios import Scenario
from benchmarks.capacity.service import Service
from benchmarks.capacity.sizing import DAYS, Assumptions, gpu_break_even, gpus, machines
from benchmarks.capacity.validate import Load
from benchmarks.cluster import ALONE, AT_ONCE, UNTRANSLATED
from benchmarks.suites.timing import percentile


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table; the first column is text, the others are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def batches(service: Service) -> str:
    """What one core does."""
    rows = [
        [
            size,
            f"{1000 * percentile(times, 0.5):.1f}",
            f"{1000 * percentile(times, 0.95):.1f}",
            f"{service.per_s(size):.0f}",
        ]
        for size, times in service.batches.items()
    ]
    return table(["sentences of a batch", "ms (p50)", "ms (p95)", "sentences/s"], rows)


def sizing(core_per_s: float, given: Assumptions) -> str:
    """Machines and money."""
    rows: list[list[object]] = []
    for name, a_day in DAYS.items():
        cpu, gpu = machines(a_day, core_per_s, given), gpus(a_day, given)
        rows.append([
            name, f"{cpu.per_s:,.0f}", f"{cpu.units:,}", f"{cpu.cost_a_day:,.0f}", f"{cpu.follows_a_day:,.0f}",
            f"{cpu.a_million(a_day):,.2f}", f"{gpu.units:,} GPUs, {gpu.cost_a_day:,.0f}" if gpu else "not measured",
        ])  # fmt: skip
    head = ["sentences a day", "a second at the peak", f"machines of {given.cores} cores", "a day",
            "a day, following the load", "a million", "on GPUs, a day"]  # fmt: skip
    even = gpu_break_even(core_per_s, given)
    return f"{table(head, rows)}\nA GPU costs less than cores from {even:,.0f} sentences/s on.\n"


def scenarios(found: Sequence[Scenario]) -> str:
    """What became of the requests."""
    head = ["scenario", "asked/s", "answered/s", "p50 ms", "p95 ms", "p99 ms", "429", "503", "tried again", "lost"]
    return table(head, [list(one.row().values())[:-1] for one in found])


def costs(medians: Mapping[str, Any]) -> str:
    """What a request takes of the processor, ms, and how long it takes, behind nothing and behind each proxy."""
    parts = ("server_ms", "proxy_ms", "rest_ms", "client_ms")
    rows = []
    for kind, shapes in medians.items():
        for shape, told in shapes.items():
            waits = [
                cell
                for one in (told[ALONE], told[AT_ONCE])
                for cell in (f"{one['p50_ms']:.1f}, {one['p95_ms']:.1f}", f"{one['per_s']:.0f}")
            ]
            taken = [f"{told[AT_ONCE][part]:.2f} / {told[UNTRANSLATED][part]:.2f}" for part in parts]
            rows.append([kind, shape, *waits, *taken])
    head = ["", "requests", "1 client: p50, p95 ms", "requests/s", "many: p50, p95 ms", "requests/s", "server: ms of "
            "processor / with nothing to translate", "proxy", "rest of Ray", "clients"]  # fmt: skip
    return table(head, rows)


def replicas(found: Sequence[Pair]) -> str:
    """One replica and two."""
    head = ["", "requests", "one replica: sentences/s", "two", "ratio", "proxies busy with two"]
    rows = [list(one.row().values()) for one in found]
    return table(head, [[*row[:-1], f"{row[-1]:.0%}"] for row in rows])


def validation(loads: Sequence[Load]) -> str:
    """The real server beside the simulated one: median of the rounds, the calmest round, and the simulation."""
    names = {"p50": 1, "p95": 1, "p99": 1, "core_ms": 2}
    head = ["load", *(f"{name}: real, calmest, simulated" for name in names), "without a core: real, calmest"]
    rows = []
    for one in loads:
        sides = (one.real, one.calmest, one.simulated)
        told = [" / ".join(f"{side[name]:.{digits}f}" for side in sides) for name, digits in names.items()]
        without = " / ".join(f"{side['without_core']:.2f}" for side in sides[:2])
        rows.append([f"{one.share:.0%}", *told, without])
    return table(head, rows)


def pictures(found: Sequence[Scenario], folder: Path) -> None:
    """`capacity-load.svg`: waits by load. `capacity-days.svg`: waits of each second on bad days."""
    import matplotlib as mpl  # heavy, and only needed here

    mpl.use("Agg")
    mpl.rcParams["svg.hashsalt"] = "capacity"
    from matplotlib.figure import Figure

    steady = [one for one in found if one.name.startswith("steady")]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    asked = [one.plan.per_s for one in steady]
    for share in (50, 95, 99):
        axes.plot(asked, [one.found.ms(share / 100) for one in steady], marker="o", label=f"p{share}")
    axes.set(xlabel="requests/s of single sentences", ylabel="ms", yscale="log", title="Waits by load, simulated")
    axes.legend()
    figure.savefig(folder / "capacity-load.svg", metadata={"Date": None})

    others = [one for one in found if one not in steady]
    figure = Figure(figsize=(10, 2.3 * ((len(others) + 1) // 2)), layout="constrained")
    places = figure.subplots((len(others) + 1) // 2, 2, squeeze=False).flat
    for place in places:
        place.set_visible(False)
    for place, one in zip(figure.axes, others, strict=False):
        place.set_visible(True)
        seconds, waits = zip(*by_second(one.found), strict=True)
        place.plot(seconds, waits)
        place.set(title=one.name, yscale="log", ylim=(3, 20_000), xlabel="s", ylabel="p95 ms")
        place.title.set_fontsize(9)
    figure.savefig(folder / "capacity-days.svg", metadata={"Date": None})


def by_second(found: Found, share: float = 0.95) -> list[tuple[int, float]]:
    """Second in which requests came -> the wait that `share` of their answers do not exceed, in ms."""
    waits: defaultdict[int, list[float]] = defaultdict(list)
    for one in found.requests:
        if one.outcome == ANSWERED:
            waits[int(one.asked)].append(1000 * (one.ended - one.asked))
    return [(second, percentile(values, share)) for second, values in sorted(waits.items())]
