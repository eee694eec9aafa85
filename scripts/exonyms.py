"""Names of places that Italian and English write differently, from CLDR: `python -m scripts.exonyms > FILE`.

Needs the library Babel (tried: 2.19.0, CLDR 49), which brings CLDR's territories and the cities of time zones, and is
not needed otherwise: `model/text/kept/exonyms.tsv` is what this has written. Names of several words are left out, for
their words go elsewhere; so are names that are words too.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

ORDINARY = frozenset(("Riunione", "Turchia", "Mondo"))
"""*Riunione* is a meeting, *mondo* the world; *Türkiye* is not what most people write."""


def pairs() -> Iterator[tuple[str, str]]:
    """Italian and English names."""
    from babel import Locale  # type: ignore[import-not-found]

    italian, english = Locale("it"), Locale("en")
    for code, name in english.territories.items():
        yield italian.territories.get(code, name), name
    for zone, about in italian.time_zones.items():
        own = english.time_zones.get(zone, {}).get("city") or zone.split("/")[-1].replace("_", " ")
        yield about.get("city", own), own


def main() -> None:
    """Write those of one word that differ."""
    found = {(one, other) for one, other in pairs() if one != other and one.isalpha() and other.istitle()}
    sys.stdout.write("# Places, Italian and English: scripts/exonyms.py wrote this from CLDR (Unicode License v3).\n")
    for one, other in sorted(found):
        if one not in ORDINARY and other not in ORDINARY:
            sys.stdout.write(f"{one}\t{other}\n")


if __name__ == "__main__":
    main()
