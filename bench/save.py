"""One save with its history against a bare INSERT of the same row into the same table: `python bench/save.py`.

Starts a database of its own on each engine, in a temporary folder. Everything is interleaved, in an order that is drawn
anew for each row, and commits durably; ratios are of medians in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import random
import shutil
import socket
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyhce
from pyhce import local, sample
from pyhce.citus.connection import Database, connect
from pyhce.citus.nodes import Node
from pyhce.citus.register import register
from pyhce.errors import HceError
from pyhce.records.given import Given, given_one
from pyhce.records.reader import Incoming, read
from pyhce.records.spelling import dumps
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.writer_functions import ARGUMENTS
from pyhce.version import __version__

MOST = 1.5
PATIENTS = 16
CLIENTS = 8
WARM_UP = 20
INSERT = (
    "INSERT INTO observacion (documento_id, fuente, id, version, actualizado_en, recurso, original, entrada)"
    " VALUES (%s, %s, %s, 1, clock_timestamp(), %s, %s, %s)"
)
CALL = f"SELECT hce.guardar_observacion({', '.join('%s' for _ in ARGUMENTS)})"
JUDGED = ("function: new", "function: changed", "function: unchanged")


@contextmanager
def database(engine: local.Engine, workers: int, port: int) -> Iterator[str]:
    """The DSN of a registered database that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pyhce-bench-"))
    folder.chmod(0o755)
    place = folder / "data"
    cluster = local.start(place, engine=engine, workers=workers, port=port)
    try:
        nodes = [Node(host=n.host, port=n.port) for n in cluster.workers]
        register(local.dsn(cluster), schema=SCHEMA, workers=nodes, passwords=local.passwords(place))
        yield local.dsn(cluster)
    finally:
        local.stop(place)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    """The first of three ports in a row that nobody uses."""
    for port in range(31950, 60000, 3):
        try:
            for offset in range(3):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return port
    raise HceError("no port is free", remedy="Give one: --port.")


def observations() -> list[dict[str, Any]]:
    """The Observations of the sample patients."""
    found = (item for path in sample.files() for item in read(path))
    return [item.resource for item in found if isinstance(item, Incoming) and item.type == "Observation"]


class Rows:
    """The same observation again and again, each with an id of its own and one of our patients."""

    def __init__(self, source: str) -> None:
        self.source, self.held = source, observations()

    def person(self, number: int) -> dict[str, Any]:
        """One of the patients."""
        system = "https://www.registraduria.gov.co/cedula"
        identifier = {"system": system, "value": f"{self.source}{number}"}
        return {"resourceType": "Patient", "id": f"p{number}", "identifier": [identifier]}

    def text(self, number: int, key: str | None, **more: object) -> str:
        """An observation as JSON text, without an id if `key` is None."""
        held = {**self.held[number % len(self.held)], "id": key, **more}
        held["subject"] = {"reference": f"Patient/p{number % PATIENTS}"}
        return dumps({name: value for name, value in held.items() if value is not None})

    def values(self, number: int, key: str, **more: object) -> tuple[str, Given]:
        """The document of its patient, and the observation ready to be written."""
        return f"CC-{self.source.upper()}{number % PATIENTS}", given_one(SCHEMA, self.text(number, key, **more))


def one_by_one(dsn: str, rows: Rows, count: int) -> dict[str, list[float]]:
    """Milliseconds of each kind of write, one client."""
    times: dict[str, list[float]] = {}
    note = [{"text": "changed"}]
    with connect(dsn) as conn, pyhce.connect(dsn, source=rows.source, connections=1) as db:

        def insert(number: int, key: str) -> Callable[[], object]:
            document, (ready, *_) = rows.values(number, key)
            values = (document, rows.source, key, *ready.text, ready.text.fingerprint)
            return lambda: conn.execute(INSERT, values, prepare=True)

        def call(number: int, key: str, *, version: int | None, **more: object) -> Callable[[], object]:
            document, (ready, patient, *_) = rows.values(number, key, **more)
            text = ready.text
            values = (document, rows.source, "Observation", key, patient, *text, text.fingerprint, version)
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
                name, deed = chain.pop(0)
                start = time.perf_counter()
                deed()
                if number >= WARM_UP:
                    times.setdefault(name, []).append((time.perf_counter() - start) * 1e3)
                if not chain:
                    chains.remove(chain)
    return times


def at_once(dsn: str, rows: Rows, count: int) -> dict[str, dict[str, float]]:
    """Writes a second with eight clients: bare INSERTs by threads, saves by asyncio, also all of one row.

    Connections are open and warm before the clock starts.
    """
    warm = WARM_UP * CLIENTS

    def inserts(client: int, conn: Database, first: int, last: int) -> None:
        for number in range(first + client, last, CLIENTS):
            document, (ready, *_) = rows.values(number, f"c{number}")
            values = (document, rows.source, ready.incoming.id, *ready.text, ready.text.fingerprint)
            conn.execute(INSERT, values, prepare=True)

    def bare() -> float:
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

    def told(seconds: float, times: list[float]) -> dict[str, float]:
        middle = {"median": statistics.median(times), "p95": quantile(times, 0.95)} if times else {}
        return {"per_second": count * CLIENTS / seconds, **middle}

    return {
        "INSERT, different patients": told(bare(), []),
        "db.save, different patients": told(*asyncio.run(saves(False))),
        "db.save, one row": told(*asyncio.run(saves(True))),
    }


def versions_are_right(conn: Database, rows: Rows, count: int) -> bool:
    """Whether the row that all clients wrote has each of its versions once, in the history or as the row."""
    former = conn.execute(
        "SELECT version FROM historia WHERE fuente = %s AND id = 'one' ORDER BY version", (rows.source,)
    ).fetchall()
    (current,) = conn.execute("SELECT version FROM observacion WHERE fuente = %s AND id = 'one'", (rows.source,))
    return [v for (v,) in former] == list(range(1, current[0])) and current[0] == (count + WARM_UP) * CLIENTS


def quantile(times: list[float], part: float) -> float:
    """The time that this part of them does not exceed."""
    return sorted(times)[int(len(times) * part)]


def measured(dsn: str, count: int) -> dict[str, Any]:
    """All of it on one database."""
    rows = Rows(uuid.uuid4().hex[:8])
    with connect(dsn) as conn, pyhce.connect(dsn, source=rows.source) as db:
        db.save_many([rows.person(number) for number in range(PATIENTS)])
        engine = conn.execute("SELECT current_setting('server_version')").fetchone()
        citus = conn.execute("SELECT extversion FROM pg_extension WHERE extname = 'citus'").fetchone()
        times = one_by_one(dsn, rows, count)
        base = statistics.median(times["INSERT"])
        return {
            "postgresql": engine[0] if engine else "",
            "citus": citus[0] if citus else None,
            "one_client": {
                name: {
                    "median": statistics.median(held),
                    "p95": quantile(held, 0.95),
                    "ratio": statistics.median(held) / base,
                }
                for name, held in times.items()
            },
            "eight_clients": at_once(dsn, rows, max(count // 10, 10)),
            "one_row_has_every_version_once": versions_are_right(conn, rows, max(count // 10, 10)),
        }


def show(name: str, report: dict[str, Any]) -> None:
    """One engine's figures, for people."""
    citus = f" with Citus {report['citus']}, a coordinator and 2 workers" if report["citus"] else ""
    print(f"\n{name}: PostgreSQL {report['postgresql']}{citus}")
    print(f"  {'one client':<40}{'median':>10}{'p95':>10}{'ratio':>8}")
    for what, told in report["one_client"].items():
        judged = (" ok" if told["ratio"] <= MOST else f" MORE THAN {MOST}") if what in JUDGED else ""
        print(f"  {what:<40}{told['median']:>7.2f} ms{told['p95']:>7.2f} ms{told['ratio']:>8.2f}{judged}")
    print(f"  {'eight clients':<40}{'median':>10}{'p95':>10}{'a second':>10}")
    for what, told in report["eight_clients"].items():
        middle = f"{told['median']:>7.2f} ms{told['p95']:>7.2f} ms" if "median" in told else " " * 20
        print(f"  {what:<40}{middle}{told['per_second']:>10.0f}")
    print(f"  the row that eight clients wrote has every version once: {report['one_row_has_every_version_once']}")


def main() -> int:
    """Exit status 1 if a ratio is missed or a version is missing."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--engine", choices=("embedded", "citus"), action="append", help="default: both")
    options.add_argument("--count", type=int, default=400, help="rows of each kind")
    options.add_argument("--port", type=int, help="the first of three; free ones if not given")
    options.add_argument("--json", type=Path, help="write the figures to this file too")
    given = options.parse_args()
    machine = {
        "machine": platform.platform(),
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "pyhce": __version__,
        "rows": given.count,
    }
    print(", ".join(f"{name} {value}" for name, value in machine.items()))
    reports: dict[str, Any] = {}
    for name in given.engine or ("embedded", "citus"):
        try:
            engine = local.find_engine(citus=name == "citus")
        except HceError as error:
            print(f"\n{name}: not here: {error.wrong}")
            continue
        with database(engine, 2 if name == "citus" else 0, given.port or free_port()) as dsn:
            reports[name] = measured(dsn, given.count)
        show(name, reports[name])
    print(f"load now {os.getloadavg()}")
    if given.json:
        given.json.write_text(json.dumps({**machine, "engines": reports}, indent=2) + "\n", encoding="utf-8")
    right = all(report["one_row_has_every_version_once"] for report in reports.values())
    fast = all(report["one_client"][what]["ratio"] <= MOST for report in reports.values() for what in JUDGED)
    return 0 if right and fast else 1


if __name__ == "__main__":
    raise SystemExit(main())
