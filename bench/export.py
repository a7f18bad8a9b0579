"""How quick an export is, against psql's `\\copy … to` of the very same tables, in one run.

    python bench/export.py FOLDER [--engine embedded|citus] [--rounds 5] [--jobs N] [--json FILE]

FOLDER holds FHIR, such as Synthea's NDJSON; nothing is generated. The database is made for the run, and goes with it.
Ways take turns, so that what else the machine does meanwhile meets all of them; medians and ratios of medians count.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pyhce
from pyhce import local
from pyhce.schema.declaration import SCHEMA

MUST = 0.8


def main() -> int:
    """Measure each engine; exit status 1 if an export is slower than it must be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="FHIR files to load first")
    parser.add_argument("--engine", choices=["embedded", "citus"], action="append")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 4))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    results = [measure(asked, citus=engine == "citus") for engine in asked.engine or ["embedded", "citus"]]
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n")
    return int(any(ratio < MUST for result in results for ratio in result["ratios"].values()))


def measure(asked: argparse.Namespace, *, citus: bool) -> dict:
    """Make a database, load it, let the ways take turns."""
    place = Path(tempfile.mkdtemp(prefix="pyhce-bench-"))
    place.chmod(0o755)
    try:
        made = pyhce.up(folder=place / "data", citus=citus, port=free_port())
        cluster = local.status(place / "data").cluster
        assert cluster is not None
        dsn = local.dsn(cluster)
        loaded = pyhce.load([asked.folder], dsn=dsn, reject_file=place / "rejected.ndjson")
        for node in cluster.nodes:  # what autovacuum does sooner or later, so that it does not do it meanwhile
            psql(cluster, "-p", str(node.port), "-c", "VACUUM (ANALYZE)", "-c", "CHECKPOINT")
        ways: dict[str, Callable[[Path], int]] = {
            "psql \\copy": lambda to: copied(cluster, to),
            "export, 1 job": lambda to: pyhce.export(to, dsn=dsn, jobs=1).bytes,
            f"export, {asked.jobs} jobs": lambda to: pyhce.export(to, dsn=dsn, jobs=asked.jobs).bytes,
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        size = 0
        for number in range(asked.rounds + 1):
            for name, way in ways.items():
                to = place / "out"
                start = time.perf_counter()
                size = way(to)
                if number:  # the first round warms up
                    seconds[name].append(time.perf_counter() - start)
                shutil.rmtree(to)
        return told(made.engine, loaded.read, size, seconds)
    finally:
        if (place / "data").exists():
            pyhce.delete(place / "data")
        shutil.rmtree(place, ignore_errors=True)


def copied(cluster: local.LocalCluster, to: Path) -> int:
    """Every table by psql, one after the other."""
    to.mkdir()
    query = "\\copy (select coalesce(original, recurso::text) from {0}) to '{1}/{0}.txt'"
    commands = "\n".join(query.format(table.name, to) for table in SCHEMA.resource_tables())
    (to / "commands.sql").write_text(commands)
    psql(cluster, "-f", str(to / "commands.sql"))
    return sum(path.stat().st_size for path in to.glob("*.txt"))


def psql(cluster: local.LocalCluster, *arguments: str) -> None:
    """Run the engine's own psql."""
    subprocess.run(
        [cluster.engine.program("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments],
        env={**os.environ, **local.environment(cluster)}, check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip


def told(engine: str, resources: int, size: int, seconds: dict[str, list[float]]) -> dict:
    """Print a table; give it as data."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    base = medians["psql \\copy"]
    machine = f"{os.cpu_count()} processors ({platform.machine()}), Linux {platform.release()}, Python"
    machine += f" {platform.python_version()}, pyhce {pyhce.__version__}, load {os.getloadavg()[0]:.1f}"
    print(
        f"\n{engine}\n{machine}\n{resources} resources, {size / 1e6:.0f} MB; {len(next(iter(seconds.values())))} rounds"
    )
    print(f"{'way':<20}{'median s':>10}{'min s':>9}{'max s':>9}{'MB/s':>8}{'resources/s':>13}{'psql = 1':>10}")
    for name, times in seconds.items():
        m = medians[name]
        print(
            f"{name:<20}{m:>10.2f}{min(times):>9.2f}{max(times):>9.2f}{size / 1e6 / m:>8.0f}{resources / m:>13.0f}"
            f"{base / m:>10.2f}"
        )
    sys.stdout.flush()
    ratios = {name: round(base / m, 3) for name, m in medians.items() if m is not base}
    return {
        "engine": engine, "machine": machine, "resources": resources, "bytes": size, "seconds": seconds,
        "medians": medians, "ratios": ratios, "must": MUST,
    }  # fmt: skip


def free_port() -> int:
    """The first of four free ports in a row."""
    for port in range(25600, 60000, 4):
        try:
            for offset in range(4):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port + offset))
        except OSError:
            continue
        return port
    raise SystemExit("no free port")


if __name__ == "__main__":
    sys.exit(main())
