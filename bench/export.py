r"""Export, against psql's \copy … to of the very same tables.

    python -m bench.export [FOLDER] [--engine one|citus] [--jobs 1 --jobs 4] [--rounds 5] [--json FOLDER]

FOLDER holds FHIR, such as Synthea's bulk export; it is loaded first. The ways take turns, so that whatever else the
machine does meets all of them; the figures are medians, the ratios are of one run. Exit status 1 if one is below 0.8.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.database import Bench, arguments, data, keep, median, opened
from pyhce import api
from pyhce.schema.declaration import SCHEMA

MUST = 0.8
COPY = r"psql \copy"


def main() -> int:
    """Run the rounds on each engine and print the tables; 1 if a way is too slow."""
    asked = arguments(__doc__, rounds=5, jobs=[1, min(os.cpu_count() or 1, 4)])
    slow = False
    with data(asked.folder) as folder:
        for engine in asked.engine:
            with opened(citus=engine == "citus") as bench:
                found = measure(bench, folder, asked.jobs, asked.rounds)
            slow |= report(bench, found)
            keep(asked.json, f"export-{engine}", {"facts": bench.facts, "seconds": found})
    return int(slow)


def measure(bench: Bench, folder: Path, jobs: list[int], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way, a value a round; the round before the first only warms up."""
    rejects = bench.scratch / "rejected.ndjson"
    command = [sys.executable, "-m", "pyhce", "load", str(folder), "--dsn", bench.dsn, "--rejects", str(rejects)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    bench.psql("VACUUM (ANALYZE)", "CHECKPOINT")  # as autovacuum does sooner or later, so that it does not meanwhile
    found: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr)
        for job in (0, *jobs):
            seconds = exported(bench, job) if job else copied(bench)
            if number:
                found.setdefault(f"export, {job} jobs" if job else COPY, []).append(seconds)
    return found


def exported(bench: Bench, jobs: int) -> float:
    """Seconds of an export, checksums, journal and manifest included."""
    to = bench.scratch / "out"
    start = time.perf_counter()
    made = api.export(to, dsn=bench.dsn, jobs=jobs)
    seconds = time.perf_counter() - start
    bench.facts |= {"resources": made.resources, "MB": round(made.bytes / 1e6), "snapshot": made.snapshot}
    shutil.rmtree(to)
    return seconds


def copied(bench: Bench) -> float:
    """Seconds that one psql takes for every table, one after the other."""
    to = bench.scratch / "copied"
    to.mkdir()
    commands = [
        rf"\copy (SELECT coalesce(original, recurso::text) FROM {table.qualified}) TO '{to / table.name}'"
        for table in SCHEMA.resource_tables()
    ]
    start = time.perf_counter()
    bench.psql(*commands)
    seconds = time.perf_counter() - start
    shutil.rmtree(to)
    return seconds


def report(bench: Bench, found: dict[str, list[float]]) -> bool:
    """The table; whether a way is too slow."""
    bench.facts["load"] = f"{os.getloadavg()[0]:.1f}"
    count, base = bench.facts["resources"], median(found[COPY])
    ratios = {name: base / median(values) for name, values in found.items()}
    bench.show(
        "Export, resources/s",
        [
            (name, count / median(values), rf"{ratios[name]:.2f} × \copy, {min(values):.2f} to {max(values):.2f} s")
            for name, values in found.items()
        ],
    )
    return min(ratios.values()) < MUST


if __name__ == "__main__":
    sys.exit(main())
