"""How many machines, at what cost, and what becomes of requests on bad days; docs/capacity.md explains the figures.

Without options the committed measurements are simulated and the tables are printed. --measure measures one core of this
machine, with the bundled model and a real server on 127.0.0.1, and --validate puts loads on such a server and on the
simulated one; both keep what they find in --results, and --pictures writes the pictures beside it.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, fields
from pathlib import Path

from benchmarks.capacity import replicas, report, scenarios, service
from benchmarks.capacity.measure import measure
from benchmarks.capacity.sizing import Assumptions
from benchmarks.capacity.validate import validate

HELP = {
    "peak": "the busiest minutes, in means of the day", "utilisation": "share of the machines that the peak may use",
    "cores": "of a machine", "spare": "machines that may be missing", "price_core_hour": "an assumption, any currency",
    "price_gpu_hour": "the same of a GPU", "gpu_per_s": "sentences/s of a server on a GPU [not known]",
}  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.capacity", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--measure", action="store_true", help="measure this machine first")
    parser.add_argument("--validate", action="store_true", help="put loads on a real server, too")
    parser.add_argument("--pictures", action="store_true", help="write capacity-*.svg")
    parser.add_argument("--no-scenarios", action="store_true", help="simulate no fleet")
    parser.add_argument("--results", type=Path, default=service.FILE, metavar="FILE", help=f"[{service.FILE.name}]")
    parser.add_argument("--cluster", type=Path, default=replicas.FILE, metavar="FILE",
                        help=f"what `python -m benchmarks.cluster` has found [{replicas.FILE.name}]")  # fmt: skip
    for field in fields(Assumptions):
        kind = type(field.default)
        parser.add_argument(f"--{field.name.replace('_', '-')}", type=kind, default=field.default, metavar="N",
                            help=f"{HELP[field.name]} [{field.default}]")  # fmt: skip
    return parser.parse_args()


def main() -> int:
    """The command line."""
    arguments = _arguments()
    results: Path = arguments.results
    if arguments.measure:
        service.write(results, measure("python -m benchmarks.capacity --measure"))
    found = service.read(results)
    given = Assumptions(**{field.name: getattr(arguments, field.name) for field in fields(Assumptions)})
    print(report.batches(found))
    print(
        f"A request costs {1000 * found.request_s:.2f} ms beside; a server on one core answers at most "
        f"{found.server_per_s:.0f} requests/s of one sentence. A version loads in {found.load_s:.2f} s.\n"
    )
    print(report.sizing(found.server_per_s, given))
    if arguments.validate:
        loads = validate(found)
        service.update(results, "validation", [asdict(one) for one in loads])
        print(report.validation(loads))
    if not arguments.no_scenarios:
        simulated = scenarios.run(found)
        service.update(results, "scenarios", [one.row() for one in simulated])
        print(report.scenarios(simulated))
        measured = replicas.read(arguments.cluster)
        pairs = replicas.run(found, measured)
        service.update(results, "replicas", [one.row() for one in pairs])
        print(report.costs(measured))
        print(report.replicas(pairs))
        if arguments.pictures:
            report.pictures(simulated, results.parent)
    return 0


if __name__ == "__main__":
    sys.exit(main())
