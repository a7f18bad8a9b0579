"""What the benchmarks share: a database of their own, the machine's description, medians and tables."""

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
    """A database for one benchmark, and what there is to say of it."""

    dsn: str
    scratch: Path
    psql_program: str
    environment: dict[str, str]
    facts: dict[str, Any] = field(default_factory=dict)

    def psql(self, *commands: str) -> str:
        """Run commands in one psql."""
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

    def tell(self) -> None:
        """Facts, and how busy the machine is."""
        facts = {**self.facts, "load": " ".join(f"{load:.1f}" for load in os.getloadavg())}
        print("  ".join(f"{name}: {value}" for name, value in facts.items()))

    def show(self, title: str, lines: Sequence[tuple[str, float, str]]) -> None:
        """Facts, then a table of name, value, remark."""
        self.tell()
        print(title)
        for name, value, remark in lines:
            print(f"  {name:<44} {value:>10.1f}  {remark}")


@contextmanager
def opened(*, citus: bool) -> Iterator[Bench]:
    """A new database in a temporary folder: one node, or a Citus coordinator and two workers."""
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


def arguments(doc: str | None, *, rounds: int, jobs: list[int]) -> argparse.Namespace:
    """What the command line says: folder, engines, jobs, rounds, where the figures go."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="NDJSON; if none is given, Synthea makes 20 patients")
    parser.add_argument("--engine", choices=("one", "citus"), action="append", help="one node, or Citus; else both")
    parser.add_argument("--jobs", type=int, action="append", help="connections at once; may be given again")
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--json", type=Path, help="a folder for the figures")
    asked = parser.parse_args()
    asked.jobs = asked.jobs or jobs
    asked.engine = engines(asked.engine)
    return asked


def engines(asked: list[str] | None) -> list[str]:
    """The engines asked for, else all that are here."""
    return asked or ["one", *(["citus"] if has_citus() else [])]


def has_citus() -> bool:
    """Whether PostgreSQL with Citus is on this machine."""
    try:
        local.find_engine(citus=True)
    except HceError as error:
        print(f"without Citus: {error.wrong}", file=sys.stderr)
        return False
    return True


@contextmanager
def data(folder: Path | None) -> Iterator[Path]:
    """The folder given, or one of patients that Synthea makes."""
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="pyhce-synthea-") as made:
        to = Path(made) / "patients"
        command = [sys.executable, "tools/synthea.py", "--patients", "20", "--bulk", "--years", "0", "--to", str(to)]
        if subprocess.run(command).returncode:
            raise SystemExit("give a folder of NDJSON instead")
        yield to


def keep(to: Path | None, name: str, figures: dict[str, Any]) -> None:
    """Figures as JSON in a folder."""
    if to:
        to.mkdir(parents=True, exist_ok=True)
        (to / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")


def free_port() -> int:
    """A port that nobody listens at, with room above for the workers'."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def machine() -> str:
    """Processor, cores, memory, system."""
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
