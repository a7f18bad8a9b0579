"""Run the test tiers that this machine can run, and end with one line for each tier.

    python tests/run.py                          # what `make test` runs: no cluster, no slow tests, 15 minutes at most
    python tests/run.py --all                    # what `make test-all` runs: every tier, every test
    python tests/run.py citus                    # every test of one tier
    python tests/run.py citus --quick            # one tier without its slow tests
    python tests/run.py citus -- -k merge        # the words after -- go to pytest
    python tests/run.py unit postgres --coverage # line coverage of pyhce over these tiers
    python tests/run.py fuzz --minutes 60
    python tests/run.py writers --minutes 30
    PYHCE_DATA=folder,folder python tests/run.py roundtrip
    python tests/run.py cases                    # the handed cases as a table: right or wrong on each engine

Exit status: 0 if every tier that ran passed; 1 if a test failed or a tier that was named cannot run here; 2 for wrong
arguments. A tier that cannot run is skipped with the reason and the command that enables it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from pyhce import local
from pyhce.deploy.images import POSTGRES_BASE, REGISTRAR_BASE
from pyhce.errors import HceError

TESTS = Path(__file__).parent
PYTEST_NO_TESTS = 5
"""pytest's exit status when it collected no test."""


def always_available() -> str | None:
    """A tier that needs nothing can always run."""
    return None


def embedded_unavailable() -> str | None:
    """Why the embedded PostgreSQL cannot run here; None if it can."""
    return _engine_unavailable(citus=False, enable="pip install 'pyhce[local]'")


def citus_unavailable() -> str | None:
    """Why Citus cannot run here; None if it can."""
    enable = "install PostgreSQL 15 to 18 with the extension citus, or set PYHCE_PG_CONFIG to its pg_config"
    return _engine_unavailable(citus=True, enable=enable)


def _engine_unavailable(*, citus: bool, enable: str) -> str | None:
    try:
        local.find_engine(citus=citus)
    except HceError as error:
        return f"{error.wrong}; to enable: {enable}"
    return None


def helm_unavailable() -> str | None:
    """Why the chart cannot be rendered here; None if it can."""
    return (
        None if shutil.which("helm") else "helm is not on PATH; to enable: install Helm 3.14 or newer, or `make tools`"
    )


def cluster_unavailable() -> str | None:
    """Why a kind cluster cannot be created here; None if it can."""
    for program in ("docker", "kind", "kubectl", "helm"):
        if not shutil.which(program):
            return f"{program} is not on PATH; to enable: install Docker and kubectl, and `make tools` for the rest"
    if subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return "the Docker engine does not answer; to enable: start it"
    for image in ("kindest/node", POSTGRES_BASE, REGISTRAR_BASE):
        listed = subprocess.run(["docker", "image", "ls", "-q", image], capture_output=True, text=True, check=False)
        if not listed.stdout.strip():
            return f"Docker has no image {image}; to enable: docker pull {image}"
    return None


@dataclass(frozen=True)
class Tier:
    """A folder of tests.

    Args:
        unavailable: why the tier cannot run on this machine, or None if it can.
        in_quick_run: whether `make test` runs the tier.
        in_full_run: whether `make test-all` runs the tier. One that is in neither run takes long and runs when named.
        parallel: run the test files in several processes, each with servers of its own.
        background: run the tier at the same time as the others, because it mostly waits; its output comes at its end.
    """

    name: str
    unavailable: Callable[[], str | None]
    in_quick_run: bool = False
    in_full_run: bool = False
    parallel: bool = False
    background: bool = False


TIERS = {
    tier.name: tier
    for tier in (
        Tier("unit", always_available, in_quick_run=True, in_full_run=True, parallel=True),
        Tier("chart", helm_unavailable, in_quick_run=True, in_full_run=True),
        Tier("postgres", embedded_unavailable, in_quick_run=True, in_full_run=True, parallel=True),
        Tier("citus", citus_unavailable, in_quick_run=True, in_full_run=True, parallel=True),
        Tier("cluster", cluster_unavailable, in_full_run=True, background=True),
        Tier("soak", cluster_unavailable),
        Tier("fuzz", always_available),
        Tier("writers", always_available),
        Tier("roundtrip", always_available),
    )
}

PARALLEL_OPTIONS = ["--numprocesses", str(min(4, len(os.sched_getaffinity(0)) + 1)), "--dist", "loadfile"]
"""One process more than there are processors, at most four: the tests mostly wait for disks and commits."""
TIME_LIMIT = 14 * 60
"""Seconds after which `make test` starts no further test; the tests that run then are finished."""
COVERAGE_OPTIONS = ["--cov", "--cov-append", "--cov-report="]
"""Each tier adds to one data file; the reports are written when the last tier has ended."""


class TierRun:
    """A run of pytest over one tier, started at once.

    Args:
        quick: leave out the tests marked `slow`.
        pytest_options: further arguments of pytest.
        background: keep the output until `wait`.
    """

    def __init__(self, tier: Tier, *, quick: bool, pytest_options: Sequence[str], background: bool) -> None:
        self.tier, self.quick = tier, quick
        self.passed = False
        self._start = time.monotonic()
        self._output = tempfile.TemporaryFile() if background else None  # noqa: SIM115 - closed by wait
        self._left_out = tempfile.NamedTemporaryFile()  # noqa: SIM115 - closed by wait; tests/conftest.py writes it
        parallel = PARALLEL_OPTIONS if tier.parallel else []
        marker = ["-m", "not slow"] if quick else []
        durations = [f"--durations={10 if quick else 40}", "--durations-min=2"]
        command = [sys.executable, "-m", "pytest", "-q", *durations, *parallel, *marker]
        print(f"== tier {tier.name}" + (" starts in the background" if background else ""), flush=True)
        self._process = subprocess.Popen(
            [*command, str(TESTS / tier.name), *pytest_options],
            stdout=self._output,
            env={**os.environ, "PYHCE_TEST_LEFT_OUT": self._left_out.name},
        )

    def wait(self) -> str:
        """Wait for the end; the line that reports the tier."""
        status = self._process.wait()
        self.passed = status == 0
        if self._output:
            self._output.seek(0)
            print(f"== tier {self.tier.name}\n{self._output.read().decode(errors='replace')}", flush=True)
            self._output.close()
        outcome = "passed" if status == 0 else "found no test" if status == PYTEST_NO_TESTS else "FAILED"
        line = f"tier {self.tier.name:<9} {outcome} in {time.monotonic() - self._start:.0f} s"
        if self.quick:
            line += f"; without its slow tests: python tests/run.py {self.tier.name} -- -m slow"
        if left_out := Path(self._left_out.name).read_text().splitlines():
            line += f"; {len(left_out)} tests left out for lack of time: python tests/run.py {self.tier.name}"
        self._left_out.close()
        return line


def run_tiers(tiers: Sequence[Tier], *, quick: bool, required: bool, pytest_options: Sequence[str]) -> int:
    """Run tiers, the background tiers at the same time as the others, and print a line for each.

    Args:
        tiers: the tiers, in the order in which they run.
        quick: leave out the tests marked `slow`, and say so in the tier's line.
        required: whether a tier that cannot run here is a failure.
        pytest_options: further arguments of pytest.

    Returns:
        The exit status.
    """
    reasons = {tier.name: tier.unavailable() for tier in tiers}
    runnable = [tier for tier in tiers if reasons[tier.name] is None]
    lines = [f"tier {name:<9} skipped: {reason}" for name, reason in reasons.items() if reason]
    all_passed = not (required and lines)

    def start(tier: Tier, *, background: bool) -> TierRun:
        return TierRun(tier, quick=quick, pytest_options=pytest_options, background=background)

    background_runs = [start(tier, background=True) for tier in runnable if tier.background and len(runnable) > 1]
    in_background = {run.tier for run in background_runs}
    for tier in runnable:
        if tier not in in_background:
            run = start(tier, background=False)
            lines.append(run.wait())
            all_passed &= run.passed
    for run in background_runs:
        lines.append(run.wait())
        all_passed &= run.passed
    print("\n" + "\n".join(lines), flush=True)
    return int(not all_passed)


def report_coverage() -> None:
    """Print line coverage by module, and write coverage.xml and the pages in htmlcov."""
    for report in ("report", "xml", "html"):
        subprocess.run([sys.executable, "-m", "coverage", report], check=True)


def run_cases() -> int:
    """Run the handed cases on both engines and print them as a table; 1 if one is wrong or did not run."""
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
                name = case.get("name", "").removeprefix("test_case[").removesuffix("]")
                results.setdefault(name, {})[engine] = "wrong" if len(case) else "right"
    width = max(map(len, results), default=0)
    print(f"\n{'case':<{width}}  " + "  ".join(f"{engine:<10}" for engine in engines.values()))
    for name, by_engine in results.items():
        cells = (f"{by_engine.get(engine, 'not run'):<10}" for engine in engines.values())
        print(f"{name:<{width}}  " + "  ".join(cells))
    all_right = all(by_engine == dict.fromkeys(engines.values(), "right") for by_engine in results.values())
    return int(not results or not all_right)


def main(arguments: list[str]) -> int:
    """Run what the arguments ask for; the exit status."""
    parser = argparse.ArgumentParser(
        prog="python tests/run.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tiers", nargs="*", metavar="tier", help=f"of {', '.join(TIERS)}; or cases")
    parser.add_argument("--all", action="store_true", help="every tier of `make test-all`, with the slow tests")
    parser.add_argument("--quick", action="store_true", help="leave out the slow tests of the tiers named")
    parser.add_argument("--coverage", action="store_true", help="measure line coverage of pyhce (pytest-cov)")
    parser.add_argument("--minutes", metavar="N", help="how long fuzz and writers run")
    own, pytest_options = _split_at_dashes(arguments)
    options = parser.parse_args(own)
    if options.tiers == ["cases"]:
        return run_cases()
    unknown = sorted(set(options.tiers) - set(TIERS))
    if unknown:
        parser.error(f"there is no tier {', '.join(unknown)}; the tiers are {', '.join(TIERS)}")
    if options.all and options.tiers:
        parser.error("--all runs every tier: name no tier with it")

    os.environ["PATH"] += f"{os.pathsep}{TESTS.parent / '.tools' / 'bin'}"
    if options.minutes:
        os.environ["PYHCE_FUZZ_MINUTES"] = os.environ["PYHCE_MINUTES"] = options.minutes
    if options.coverage:
        (TESTS.parent / ".coverage").unlink(missing_ok=True)
        pytest_options = [*COVERAGE_OPTIONS, *pytest_options]
    quick = options.quick or not (options.all or options.tiers)
    if not (options.all or options.tiers):
        os.environ["PYHCE_TEST_DEADLINE"] = str(time.time() + TIME_LIMIT)
    status = run_tiers(
        _chosen_tiers(options.tiers, full=options.all),
        quick=quick,
        required=bool(options.tiers),
        pytest_options=pytest_options,
    )
    if options.coverage:
        report_coverage()
    if not options.tiers and not options.all:
        left_out = [tier.name for tier in TIERS.values() if tier.in_full_run and not tier.in_quick_run]
        lines = [f"tier {name:<9} left out: python tests/run.py {name}" for name in left_out]
        print("\n".join([*lines, "make test-all runs everything"]), flush=True)
    return status


def _split_at_dashes(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Our own arguments, and those after `--`, which are pytest's."""
    if "--" not in arguments:
        return arguments, []
    position = arguments.index("--")
    return arguments[:position], arguments[position + 1 :]


def _chosen_tiers(names: Sequence[str], *, full: bool) -> list[Tier]:
    """The tiers named; else those of the full or of the quick run."""
    if names:
        return [TIERS[name] for name in names]
    return [tier for tier in TIERS.values() if (tier.in_full_run if full else tier.in_quick_run)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
