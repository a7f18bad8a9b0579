r"""Compare the speed of an export with psql's \copy of the same tables.

    python -m bench.export [FOLDER] [--engine one|citus] [--jobs 1 --jobs 4] [--rounds 5] [--json FOLDER]

FOLDER has FHIR files, such as Synthea's bulk export; they are loaded first. The ways alternate within each round, so
that other load on the machine affects all of them. The figures are medians, the ratios are of one run. The exit status
is 1 if a ratio is below 0.8.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from bench.database import Bench, benchmark_database, data_folder, median, parse_arguments, save_figures
from pyhce import api
from pyhce.schema.declaration import SCHEMA

LEAST_RATIO = 0.8
"""The least acceptable speed, as a multiple of \\copy's."""
COPY = r"psql \copy"


def main() -> int:
    """Run the rounds on each engine and print the tables; return 1 if a way is too slow."""
    options = parse_arguments(__doc__, rounds=5, jobs=[1, min(os.cpu_count() or 1, 4)])
    slow = False
    with data_folder(options.folder) as folder:
        for engine in options.engine:
            with benchmark_database(citus=engine == "citus") as bench:
                found = measure(bench, folder, options.jobs, options.rounds)
            slow |= report(bench, found)
            save_figures(options.json, f"export-{engine}", {"facts": bench.facts, "seconds": found})
    return int(slow)


def measure(bench: Bench, folder: Path, jobs: list[int], rounds: int) -> dict[str, list[float]]:
    """The seconds of each way in each round; an additional first round warms up."""
    rejects = bench.scratch / "rejected.ndjson"
    command = [sys.executable, "-m", "pyhce", "load", str(folder), "--dsn", bench.dsn, "--rejects", str(rejects)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    bench.psql("VACUUM (ANALYZE)", "CHECKPOINT")  # otherwise autovacuum might do it during a measurement
    found: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        print(f"round {number} of {rounds}", file=sys.stderr)
        for job in (0, *jobs):
            seconds = exported(bench, job) if job else copied(bench)
            if number:
                found.setdefault(f"export, {job} jobs" if job else COPY, []).append(seconds)
    return found


def exported(bench: Bench, jobs: int) -> float:
    """The seconds of an export, with checksums, journal and manifest."""
    to = bench.scratch / "out"
    start = time.perf_counter()
    made = api.export(to, dsn=bench.dsn, jobs=jobs)
    seconds = time.perf_counter() - start
    bench.facts |= {"resources": made.resources, "MB": round(made.bytes / 1e6), "snapshot": made.snapshot}
    shutil.rmtree(to)
    return seconds


def copied(bench: Bench) -> float:
    """The seconds that one psql takes for all tables, one after the other."""
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
    """Print the table; return whether a way is too slow."""
    bench.facts["load"] = f"{os.getloadavg()[0]:.1f}"
    count, base = bench.facts["resources"], median(found[COPY])
    ratios = {name: base / median(values) for name, values in found.items()}
    bench.print_table(
        "Export, resources/s",
        [
            (name, count / median(values), rf"{ratios[name]:.2f} × \copy, {min(values):.2f} to {max(values):.2f} s")
            for name, values in found.items()
        ],
    )
    return min(ratios.values()) < LEAST_RATIO


if __name__ == "__main__":
    sys.exit(main())
