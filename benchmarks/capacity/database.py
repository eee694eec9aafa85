"""What PostgreSQL takes of our kinds of writes: `python -m benchmarks.capacity.database URL`.

It has a schema of its own there, which goes again. `usage`: every process adds what it has counted to the rows of its
clients once a second, here for one client that all processes serve, and for many. `rows`: a correction is a row and a
commit. Each by one connection and by several at once.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Callable

import psycopg

SECONDS, CONNECTIONS = 2.0, (1, 8)
SCHEMA = "traghetto_capacity"
TABLES = f"""
DROP SCHEMA IF EXISTS {SCHEMA} CASCADE; CREATE SCHEMA {SCHEMA};
CREATE TABLE {SCHEMA}.usage (day date, client text, requests bigint, characters bigint, PRIMARY KEY (day, client));
CREATE TABLE {SCHEMA}.rows (id bigserial PRIMARY KEY, source text, target text, made timestamptz DEFAULT now());
CREATE INDEX ON {SCHEMA}.rows (made);
"""
ADD = f"""
INSERT INTO {SCHEMA}.usage VALUES (current_date, %s, 10, 400) ON CONFLICT (day, client)
DO UPDATE SET requests = usage.requests + excluded.requests, characters = usage.characters + excluded.characters
"""
ROW = f"INSERT INTO {SCHEMA}.rows (source, target) VALUES (%s, %s)"
SOURCE, TARGET = (
    "Mia sorella compra il pane al mercato ogni mattina.",
    "My sister buys bread at the market every morning.",
)
Write = Callable[["psycopg.Connection[tuple[object, ...]]", int, int], object]
"""With a connection, its number, and how often it has written."""
WRITES: dict[str, Write] = {
    "usage, one client": lambda to, _number, _turn: to.execute(ADD, ("everyone",)),
    "usage, many clients": lambda to, number, turn: to.execute(ADD, (f"{number}/{turn % 500}",)),
    "rows": lambda to, _number, _turn: to.execute(ROW, (SOURCE, TARGET)),
}


def per_s(url: str, write: Write, connections: int) -> float:
    """Commits a second of `write` by so many connections at once."""
    counts = [0] * connections

    def go_on(number: int) -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            ends = time.monotonic() + SECONDS
            while time.monotonic() < ends:
                write(connection, number, counts[number])
                counts[number] += 1

    threads = [threading.Thread(target=go_on, args=(number,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return round(sum(counts) / SECONDS, 1)


def main() -> None:
    """The command line."""
    url = sys.argv[1]
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES)
        try:
            found = {name: {count: per_s(url, write, count) for count in CONNECTIONS} for name, write in WRITES.items()}
        finally:
            connection.execute(f"DROP SCHEMA {SCHEMA} CASCADE")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
