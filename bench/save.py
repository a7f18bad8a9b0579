"""Compare the speed of a save, with its history, with a plain INSERT of the same row into the same table.

    python -m bench.save [--engine one|citus] [--count 400] [--json FOLDER]

All ways alternate, in a random order for each row, and commit durably. The ratios are of medians of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyhce
from bench.database import benchmark_database, engines, median, save_figures
from pyhce import sample
from pyhce.citus.connection import DatabaseConnection, connect
from pyhce.records.reading.exact_json import dumps
from pyhce.records.reading.prepared import PreparedResource
from pyhce.records.reading.reader import Incoming, read
from pyhce.records.saving.application_input import resource_to_save
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.writer_functions import ARGUMENTS, PROTOCOL

LARGEST_RATIO = 1.5
"""The largest acceptable time, as a multiple of an INSERT's."""
PATIENTS = 16
CLIENTS = 8
WARM_UP = 20
INSERT = (
    "INSERT INTO observacion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)"
    " VALUES (%s, %s, %s, 1, clock_timestamp(), %s, %s, %s)"
)
CALL = f"SELECT hce.guardar_observacion({', '.join('%s' for _ in ARGUMENTS)})"
JUDGED = ("function: new", "function: changed", "function: unchanged")
"""The ways that LARGEST_RATIO applies to."""


def observations() -> list[dict[str, Any]]:
    """The Observations of the sample patients."""
    found = (item for path in sample.files() for item in read(path))
    return [item.resource for item in found if isinstance(item, Incoming) and item.type == "Observation"]


class Rows:
    """Copies of the sample's Observations, each with its own id and one of PATIENTS patients."""

    def __init__(self, source: str) -> None:
        self.source, self.observations = source, observations()

    def person(self, number: int) -> dict[str, Any]:
        """The Patient with a number."""
        system = "https://www.registraduria.gov.co/cedula"
        identifier = {"system": system, "value": f"{self.source}{number}"}
        return {"resourceType": "Patient", "id": f"p{number}", "identifier": [identifier]}

    def text(self, number: int, key: str | None, **more: object) -> str:
        """An observation as JSON text, without an id if `key` is None."""
        members = {**self.observations[number % len(self.observations)], "id": key, **more}
        members["subject"] = {"reference": f"Patient/p{number % PATIENTS}"}
        return dumps({name: value for name, value in members.items() if value is not None})

    def values(self, number: int, key: str, **more: object) -> tuple[str, PreparedResource]:
        """The document of the patient, and the prepared observation."""
        return f"CC-{self.source.upper()}{number % PATIENTS}", resource_to_save(
            SCHEMA, self.text(number, key, **more)
        ).prepared


def one_by_one(dsn: str, rows: Rows, count: int) -> dict[str, list[float]]:
    """The milliseconds of each kind of write with one client."""
    times: dict[str, list[float]] = {}
    note = [{"text": "changed"}]
    with connect(dsn) as conn, pyhce.connect(dsn, source=rows.source, connections=1) as db:

        def insert(number: int, key: str) -> Callable[[], object]:
            document, prepared = rows.values(number, key)
            values = (document, rows.source, key, *prepared.text)
            return lambda: conn.execute(INSERT, values, prepare=True)

        def call(number: int, key: str, *, version: int | None, **more: object) -> Callable[[], object]:
            document, prepared = rows.values(number, key, **more)
            values = (
                document,
                rows.source,
                "Observation",
                key,
                prepared.patient_key,
                *prepared.text,
                version,
                PROTOCOL,
            )
            return lambda: conn.execute(CALL, values, prepare=True).fetchone()

        def save(number: int, key: str | None, **more: object) -> Callable[[], object]:
            text = rows.text(number, key, **more)
            return lambda: db.save(text)

        for number in range(count + WARM_UP):
            f, s = f"f{number}", f"s{number}"
            chains: list[list[tuple[str, Callable[[], object]]]] = [
                [("INSERT", insert(number, f"i{number}"))],
                [
                    ("function: new", call(number, f, version=1)),
                    ("function: changed", call(number, f, version=None, note=note)),
                    ("function: unchanged", call(number, f, version=None, note=note)),
                    ("function: changed again", call(number, f, version=None, note=[{"text": "again"}])),
                ],
                [("db.save: new, without an id", save(number, None))],
                [
                    ("db.save: new, with an id of its own", save(number, s)),
                    ("db.save: changed", save(number, s, note=note)),
                    ("db.save: unchanged", save(number, s, note=note)),
                ],
            ]
            while chains:
                chain = random.choice(chains)
                name, write = chain.pop(0)
                start = time.perf_counter()
                write()
                if number >= WARM_UP:
                    times.setdefault(name, []).append((time.perf_counter() - start) * 1e3)
                if not chain:
                    chains.remove(chain)
    return times


def at_once(dsn: str, rows: Rows, count: int) -> dict[str, dict[str, float]]:
    """Writes per second with CLIENTS clients: plain INSERTs in threads, and saves with asyncio.

    The saves are measured for different patients and for one row. Connections are open and warm before the measurement.
    """
    warm = WARM_UP * CLIENTS

    def inserts(client: int, conn: DatabaseConnection, first: int, last: int) -> None:
        for number in range(first + client, last, CLIENTS):
            document, prepared = rows.values(number, f"c{number}")
            values = (document, rows.source, prepared.identity[1], *prepared.text)
            conn.execute(INSERT, values, prepare=True)

    def plain_inserts() -> float:
        with ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as pool:
            conns = [stack.enter_context(connect(dsn)) for _ in range(CLIENTS)]

            def every(first: int, last: int) -> None:
                list(pool.map(inserts, range(CLIENTS), conns, [first] * CLIENTS, [last] * CLIENTS))

            every(0, warm)
            start = time.perf_counter()
            every(warm, warm + count * CLIENTS)
            return time.perf_counter() - start

    async def saves(one_row: bool) -> tuple[float, list[float]]:
        async with pyhce.connect_async(dsn, source=rows.source, connections=CLIENTS) as db:

            async def client(mine: int, first: int, last: int) -> list[float]:
                times = []
                for number in range(first + mine, last, CLIENTS):
                    key, at = ("one", 0) if one_row else (None, number)
                    start = time.perf_counter()
                    await db.save(rows.text(at, key, note=[{"text": str(number)}]))
                    times.append((time.perf_counter() - start) * 1e3)
                return times

            await asyncio.gather(*(client(mine, 0, warm) for mine in range(CLIENTS)))
            start = time.perf_counter()
            found = await asyncio.gather(*(client(mine, warm, warm + count * CLIENTS) for mine in range(CLIENTS)))
            return time.perf_counter() - start, [taken for times in found for taken in times]

    def rates(seconds: float, times: list[float]) -> dict[str, float]:
        latency = {"median": median(times), "p95": quantile(times, 0.95)} if times else {}
        return {"per_second": count * CLIENTS / seconds, **latency}

    return {
        "INSERT, different patients": rates(plain_inserts(), []),
        "db.save, different patients": rates(*asyncio.run(saves(False))),
        "db.save, one row": rates(*asyncio.run(saves(True))),
    }


def has_every_version_once(conn: DatabaseConnection, rows: Rows, count: int) -> bool:
    """Whether each version of the row that all clients wrote exists once, in the history or as the current row."""
    former = conn.execute(
        "SELECT version FROM historia WHERE fuente = %s AND id = 'one' ORDER BY version", (rows.source,)
    ).fetchall()
    (current,) = conn.execute("SELECT version FROM observacion WHERE fuente = %s AND id = 'one'", (rows.source,))
    return [v for (v,) in former] == list(range(1, current[0])) and current[0] == (count + WARM_UP) * CLIENTS


def quantile(times: list[float], part: float) -> float:
    """The time that this part of the times does not exceed."""
    return sorted(times)[int(len(times) * part)]


def measured(dsn: str, count: int) -> dict[str, Any]:
    """Run all measurements on one database."""
    rows = Rows(uuid.uuid4().hex[:8])
    with connect(dsn) as conn, pyhce.connect(dsn, source=rows.source) as db:
        db.save_many([rows.person(number) for number in range(PATIENTS)])
        times = one_by_one(dsn, rows, count)
        base = median(times["INSERT"])
        return {
            "one_client": {
                name: {
                    "median": median(values),
                    "p95": quantile(values, 0.95),
                    "ratio": median(values) / base,
                }
                for name, values in times.items()
            },
            "eight_clients": at_once(dsn, rows, max(count // 10, 10)),
            "one_row_has_every_version_once": has_every_version_once(conn, rows, max(count // 10, 10)),
        }


def show(report: dict[str, Any]) -> None:
    """Print the figures of one engine."""
    print(f"  {'one client':<40}{'median':>10}{'p95':>10}{'ratio':>8}")
    for name, times in report["one_client"].items():
        verdict = (
            (" ok" if times["ratio"] <= LARGEST_RATIO else f" MORE THAN {LARGEST_RATIO}") if name in JUDGED else ""
        )
        print(f"  {name:<40}{times['median']:>7.2f} ms{times['p95']:>7.2f} ms{times['ratio']:>8.2f}{verdict}")
    print(f"  {'eight clients':<40}{'median':>10}{'p95':>10}{'a second':>10}")
    for name, times in report["eight_clients"].items():
        latency = f"{times['median']:>7.2f} ms{times['p95']:>7.2f} ms" if "median" in times else " " * 20
        print(f"  {name:<40}{latency}{times['per_second']:>10.0f}")
    print(f"  the row that eight clients wrote has every version once: {report['one_row_has_every_version_once']}")


def main() -> int:
    """Run the benchmark; return 1 if a ratio is too large or a version is missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=("one", "citus"), action="append", help="one node, or Citus; default: both")
    parser.add_argument("--count", type=int, default=400, help="number of rows of each kind")
    parser.add_argument("--json", type=Path, help="write the figures to this folder")
    options = parser.parse_args()
    passed = True
    for engine in engines(options.engine):
        with benchmark_database(citus=engine == "citus") as bench:
            found = measured(bench.dsn, options.count)
        bench.facts["rows of each kind"] = options.count
        bench.print_facts()
        show(found)
        save_figures(options.json, f"save-{engine}", {"facts": bench.facts, **found})
        passed = passed and found["one_row_has_every_version_once"]
        passed = passed and all(found["one_client"][what]["ratio"] <= LARGEST_RATIO for what in JUDGED)
    return 0 if passed else 1


if __name__ == "__main__":
    raise SystemExit(main())
