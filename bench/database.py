"""Shared by the benchmarks: a temporary database, a description of the machine, command line options, tables."""

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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyhce import api, local
from pyhce.errors import HceError
from pyhce.settings import SUPERUSER
from pyhce.version import __version__

median = statistics.median


@dataclass
class Bench:
    """A database for one benchmark, and facts to print with the figures.

    Args:
        dsn: the coordinator.
        scratch: a temporary folder.
        psql_program: the path of psql.
        environment: the environment variables with which psql connects.
        facts: facts by name.
    """

    dsn: str
    scratch: Path
    psql_program: str
    environment: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)

    def psql(self, *commands: str) -> str:
        """Run commands in one session of psql, and return what it prints."""
        parts = [part for command in commands for part in ("--command", command)]
        done = subprocess.run(
            [self.psql_program, "-qXAt", "-v", "ON_ERROR_STOP=1", *parts],
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise SystemExit(done.stderr)
        return done.stdout

    def print_facts(self) -> None:
        """Print the facts and the load of the machine."""
        facts = {**self.facts, "load": " ".join(f"{load:.1f}" for load in os.getloadavg())}
        print("  ".join(f"{name}: {value}" for name, value in facts.items()))

    def print_table(self, title: str, lines: Sequence[tuple[str, float, str]]) -> None:
        """Print the facts, then a table of name, value and remark."""
        self.print_facts()
        print(title)
        for name, value, remark in lines:
            print(f"  {name:<44} {value:>10.1f}  {remark}")


@contextmanager
def benchmark_database(*, citus: bool) -> Iterator[Bench]:
    """A new database in a temporary folder: one node, or a Citus coordinator and two workers; deleted afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="pyhce-bench-"))
    folder.chmod(0o755)  # the server runs under another uid if this runs as root
    data = folder / "data"
    try:
        made = api.up(folder=data, citus=citus, port=free_port())
        environment = api.environment(data, SUPERUSER)
        cluster = local.status(data).cluster
        assert cluster is not None
        yield Bench(
            dsn=local.dsn(cluster),
            scratch=folder,
            psql_program=str(local.psql_program(data)),
            environment=environment,
            facts={"pyhce": __version__, "engine": made.engine, "machine": machine()},
        )
    finally:
        if local.status(data).cluster is not None:
            api.delete(data)
        shutil.rmtree(folder, ignore_errors=True)


def parse_arguments(doc: str | None, *, rounds: int, jobs: list[int]) -> argparse.Namespace:
    """Parse the command line: folder, engines, jobs, rounds, and the folder for the figures."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "folder", type=Path, nargs="?", help="a folder of NDJSON; default: 20 patients that Synthea generates"
    )
    parser.add_argument("--engine", choices=("one", "citus"), action="append", help="one node, or Citus; default: both")
    parser.add_argument("--jobs", type=int, action="append", help="concurrent connections; can be given several times")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--json", type=Path, help="write the figures to this folder")
    options = parser.parse_args()
    options.jobs = options.jobs or jobs
    options.engine = engines(options.engine)
    return options


def engines(chosen: list[str] | None) -> list[str]:
    """The chosen engines; if none is chosen, all that this machine has."""
    return chosen or ["one", *(["citus"] if has_citus() else [])]


def has_citus() -> bool:
    """Whether this machine has PostgreSQL with Citus; prints the reason if it has not."""
    try:
        local.find_engine(citus=True)
    except HceError as error:
        print(f"without Citus: {error.wrong}", file=sys.stderr)
        return False
    return True


@contextmanager
def data_folder(folder: Path | None) -> Iterator[Path]:
    """The given folder, or a temporary one with patients that Synthea generates."""
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="pyhce-synthea-") as made:
        to = Path(made) / "patients"
        command = [sys.executable, "tools/synthea.py", "--patients", "20", "--bulk", "--years", "0", "--to", str(to)]
        if subprocess.run(command).returncode:
            raise SystemExit("Synthea failed; give a folder of NDJSON instead: python -m bench.load FOLDER")
        yield to


def save_figures(to: Path | None, name: str, figures: dict[str, Any]) -> None:
    """Write figures as JSON to a folder, if one is given."""
    if to:
        to.mkdir(parents=True, exist_ok=True)
        (to / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")


def free_port() -> int:
    """A free port; the workers use the next ones."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def machine() -> str:
    """A description of the machine: cores, processor, memory, Python version."""
    model = next(
        (line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")),
        platform.processor(),
    )
    memory = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return f"{os.cpu_count()} × {model}, {memory // 1024**2} GiB, Python {platform.python_version()}"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
