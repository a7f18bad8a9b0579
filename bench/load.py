r"""Compare the speed of loading resources, new and again unchanged, with psql's \copy of the same rows.

    python -m bench.load [FOLDER] [--engine one|citus] [--jobs 1 --jobs 2] [--rounds 3] [--json FOLDER]

FOLDER has NDJSON, such as Synthea's bulk export. Each round empties the tables between its measurements. The figures
are medians, the ratios are of one run. Client CPU is the CPU time of the `pyhce load` process without its start.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.database import Bench, benchmark_database, data_folder, median, parse_arguments, save_figures
from pyhce.schema.declaration import SCHEMA
from pyhce.schema.model import Table

_PARSE = """
import orjson, resource, sys
loads, n = orjson.loads, 0
for name in sys.argv[1:]:
    lines = open(name, "rb").read().splitlines()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for line in lines:
        loads(line)
    after = resource.getrusage(resource.RUSAGE_SELF)
    n += after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
print(n)
"""
COPIED_TABLES = tuple(t for t in SCHEMA.tables if t.holds_resources or t.name == "expediente")


def main() -> None:
    """Run the rounds on each engine and print the tables."""
    options = parse_arguments(__doc__, rounds=3, jobs=[1, 2, 4])
    with data_folder(options.folder) as folder:
        files = sorted(path for path in folder.rglob("*.ndjson") if path.stat().st_size)
        for engine in options.engine:
            with benchmark_database(citus=engine == "citus") as bench:
                found = measure(bench, files, options.jobs, options.rounds)
            report(bench, found)
            save_figures(options.json, f"load-{engine}", {"facts": bench.facts, "seconds": found})


def measure(bench: Bench, files: list[Path], jobs: list[int], rounds: int) -> dict[str, list[float]]:
    """The values of each measurement in each round: seconds, or megabytes of memory."""
    names = [str(path) for path in files]
    loaded = load(bench, names, jobs[0])
    bench.facts |= {
        "resources": loaded["read"],
        "patients": loaded["by_type"].get("Patient", 0),
        "MB": round(sum(path.stat().st_size for path in files) / 1e6),
    }
    rows = save_rows(bench)
    found: dict[str, list[float]] = {}
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
        empty(bench)
        found.setdefault("copy", []).append(copy_rows(bench, rows))
        for count in jobs:
            empty(bench)
            for what in ("new", "again"):
                seconds, cpu, memory = timed_load(bench, names, count)
                found.setdefault(f"{what}, {count} jobs", []).append(seconds)
                found.setdefault(f"{what}, {count} jobs: client CPU", []).append(cpu)
                found.setdefault(f"{what}, {count} jobs: memory", []).append(memory)
        parse = subprocess.run([sys.executable, "-c", _PARSE, *names], check=True, capture_output=True, text=True)
        found.setdefault("orjson CPU", []).append(float(parse.stdout))
    return found


def load(bench: Bench, names: list[str], jobs: int) -> dict[str, object]:
    """Run `pyhce load` as a user does; return its report."""
    command = ["pyhce", "load", *names, "--jobs", str(jobs), "--again", "--dsn", bench.dsn, "--output", "json"]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=bench.scratch)
    return dict(json.loads(done.stdout))


def timed_load(bench: Bench, names: list[str], jobs: int) -> tuple[float, float, float]:
    """The seconds of a load, its CPU seconds without the start of the program, its peak memory in megabytes."""
    start = cpu_of(lambda: subprocess.run(["pyhce", "load", "--help"], check=True, capture_output=True))
    made: dict[str, object] = {}
    cpu = cpu_of(lambda: made.update(load(bench, names, jobs)))
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return float(str(made["seconds"])), cpu - start, memory


def cpu_of(run: Callable[[], object]) -> float:
    """The CPU seconds of the processes that a function starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def save_rows(bench: Bench) -> list[tuple[Table, Path]]:
    """Write the rows of every table to files that psql can copy from."""
    found = []
    for table in COPIED_TABLES:
        path = bench.scratch / f"{table.name}.copy"
        columns = ", ".join(column.name for column in table.stored)
        bench.psql(f"\\copy (SELECT {columns} FROM {table.qualified}) TO '{path}'")
        if path.stat().st_size:
            found.append((table, path))
    return found


def copy_rows(bench: Bench, rows: list[tuple[Table, Path]]) -> float:
    """The seconds that one psql takes to copy all files."""
    commands = [
        f"\\copy {table.qualified} ({', '.join(column.name for column in table.stored)}) FROM '{path}'"
        for table, path in rows
    ]
    start = time.monotonic()
    bench.psql(*commands)
    return time.monotonic() - start


def empty(bench: Bench) -> None:
    """Empty every table, and write a checkpoint so that the server is idle."""
    names = [table.qualified for table in SCHEMA.tables if table.holds_resources or table.name.startswith("historia")]
    bench.psql(f"TRUNCATE expediente, {', '.join(names)} CASCADE", "TRUNCATE hce.archivo_cargado", "CHECKPOINT")


def report(bench: Bench, found: dict[str, list[float]]) -> None:
    """Print the table."""
    count = bench.facts["resources"]
    copy, parse = median(found["copy"]), median(found["orjson CPU"])
    lines = [("psql \\copy", count / copy, "")]
    for name, values in found.items():
        if name == "orjson CPU" or name == "copy" or name.endswith("memory"):
            continue
        if name.endswith("client CPU"):
            micros = median(values) / count * 1e6
            lines.append((name + ", µs a resource", micros, f"{median(values) / parse:.2f} × orjson's"))
        else:
            lines.append((name, count / median(values), f"{copy / median(values):.2f} × \\copy"))
    bench.print_table("Load, resources/s", lines)
    memory = max(max(values) for name, values in found.items() if name.endswith("memory"))
    print(f"memory of pyhce load: {memory:.0f} MB at most")


if __name__ == "__main__":
    main()
