"""Run every tier of tests that this machine can run; end with one line a tier.

    python tests/run.py [tier ...]
    python tests/run.py fuzz --minutes 60
    python tests/run.py writers --minutes 30
    PYHCE_DATA=folder,folder python tests/run.py roundtrip
    python tests/run.py cases

`cases` shows the handed cases as a table: what is checked, right or wrong on one PostgreSQL and on Citus.

Exit status 0 if every tier that could run passed. A tier that cannot run here is skipped, with the reason and how to
enable it; more words after a `--` go to pytest.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

from pyhce import local
from pyhce.deploy.images import POSTGRES_BASE, REGISTRAR_BASE
from pyhce.errors import HceError

TESTS = Path(__file__).parent
NO_TESTS = 5  # pytest's exit status when it collected none


def nothing_needed() -> str | None:
    """Unit tests run anywhere."""
    return None


def embedded() -> str | None:
    """Why the embedded engine cannot run here."""
    return _missing(lambda: local.find_engine(citus=False), "pip install 'pyhce[local]'")


def citus() -> str | None:
    """Why Citus processes cannot run here."""
    return _missing(
        lambda: local.find_engine(citus=True),
        "install PostgreSQL 15 to 18 with the extension citus, or set PYHCE_PG_CONFIG to its pg_config",
    )


def _missing(find: Callable[[], object], enable: str) -> str | None:
    try:
        find()
    except HceError as error:
        return f"{error.wrong}; to enable: {enable}"
    return None


def helm() -> str | None:
    """Why the chart cannot be rendered here."""
    if shutil.which("helm"):
        return None
    return "helm is not on PATH; to enable: install Helm 3.14 or newer"


def cluster() -> str | None:
    """Why no kind cluster can be made here."""
    for program in ("docker", "kind", "kubectl", "helm"):
        if not shutil.which(program):
            return f"{program} is not on PATH; to enable: install Docker and kubectl, and `make tools` for the rest"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "Docker does not answer; to enable: start it"
    for image, enable in (
        ("kindest/node", "kind pulls it, or build one"),
        (POSTGRES_BASE, "docker pull it"),
        (REGISTRAR_BASE, "docker pull it"),
    ):
        found = subprocess.run(["docker", "image", "ls", "-q", image], capture_output=True, text=True, check=False)
        if not found.stdout.strip():
            return f"Docker has no image {image}; to enable: {enable}"
    return None


PARALLEL = {"unit", "postgres", "citus"}
"""Tiers whose test files run in parallel, each process with servers of its own. The tests mostly wait for disks and
commits, so there is one process more than there are processors, up to four."""
PARALLEL_OPTIONS = ["--numprocesses", str(min(4, len(os.sched_getaffinity(0)) + 1)), "--dist", "loadfile"]

ASIDE = {"cluster"}
"""Tiers that run beside the others, as they mostly wait for Kubernetes; what they print comes when they end."""


class Run:
    """A run of pytest over one tier.

    Args:
        aside: keep what it prints until the end.
    """

    def __init__(self, tier: str, more: Sequence[str], *, aside: bool = False) -> None:
        self.tier, self.status, self.line = tier, 0, ""
        self._start = time.monotonic()
        self._printed = tempfile.TemporaryFile() if aside else None  # noqa: SIM115 - open until the end
        options = ["-q", "--durations=5", *(PARALLEL_OPTIONS if tier in PARALLEL else [])]
        command = [sys.executable, "-m", "pytest", *options, str(TESTS / tier), *more]
        print(f"== tier {tier}" + (" begins, beside the others" if aside else ""), flush=True)
        self._process = subprocess.Popen(command, stdout=self._printed)

    def end(self) -> Run:
        """Wait for its end."""
        self.status = self._process.wait()
        if self._printed:
            self._printed.seek(0)
            print(f"== tier {self.tier}\n{self._printed.read().decode(errors='replace')}", flush=True)
        told = "passed" if self.status == 0 else "no test was found" if self.status == NO_TESTS else "FAILED"
        took = "beside the others" if self._printed else f"in {time.monotonic() - self._start:.0f} s"
        self.line = f"tier {self.tier:<9} run: {told} {took}"
        return self


TIERS = {"unit": nothing_needed, "chart": helm, "postgres": embedded, "citus": citus, "cluster": cluster}
ON_REQUEST = {"soak": cluster, "fuzz": nothing_needed, "writers": nothing_needed, "roundtrip": nothing_needed}
"""Tiers that take long, run when named."""


def show_cases() -> int:
    """Run the handed cases on both engines and print them as a table; 1 if one is wrong or was not run."""
    engines = {"postgres": "PostgreSQL", "citus": "Citus"}
    results: dict[str, dict[str, str]] = {}
    for tier, engine in engines.items():
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.xml"
            command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}"]
            subprocess.run([*command, str(TESTS / tier / "test_handed_cases.py")], check=False)
            if not report.exists():
                continue
            for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
                what = case.get("name", "").removeprefix("test_case[").removesuffix("]")
                results.setdefault(what, {})[engine] = "wrong" if len(case) else "right"
    width = max(map(len, results), default=0)
    print(f"\n{'case':<{width}}  " + "  ".join(f"{engine:<10}" for engine in engines.values()))
    for what, found in results.items():
        print(f"{what:<{width}}  " + "  ".join(f"{found.get(engine, 'not run'):<10}" for engine in engines.values()))
    all_right = all(found == dict.fromkeys(engines.values(), "right") for found in results.values())
    return int(not results or not all_right)


def main(arguments: list[str]) -> int:
    """Run the tiers named, or all; the exit status."""
    if arguments == ["cases"]:
        return show_cases()
    os.environ["PATH"] += f"{os.pathsep}{TESTS.parent / '.tools' / 'bin'}"
    if "--minutes" in arguments:  # of the fuzz and the writers
        at = arguments.index("--minutes")
        os.environ["PYHCE_FUZZ_MINUTES"] = os.environ["PYHCE_MINUTES"] = " ".join(arguments[at + 1 : at + 2])
        arguments = arguments[:at] + arguments[at + 2 :]
    named, _, more = " ".join(arguments).partition("--")
    asked = named.split()
    tiers = asked or list(TIERS)
    known = {**TIERS, **ON_REQUEST}
    unknown = sorted(set(tiers) - set(known))
    if unknown:
        print(f"no such tier: {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    lines, failed, run = [], False, []
    for tier in tiers:
        reason = known[tier]()
        if reason:
            lines.append(f"tier {tier:<9} skipped: {reason}")
            failed |= tier in asked  # who names a tier means it
        else:
            run.append(tier)
    aside = [Run(tier, more.split(), aside=True) for tier in run if tier in ASIDE and len(run) > 1]
    ended = [Run(tier, more.split()).end() for tier in run if tier not in {other.tier for other in aside}]
    for one in (*ended, *(other.end() for other in aside)):
        failed |= one.status != 0
        lines.append(one.line)
    print("\n" + "\n".join(lines))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
