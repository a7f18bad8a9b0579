"""How a drill is printed: the time line as it happens, then a table of the steps and one of the writes."""

from __future__ import annotations

from collections.abc import Callable

from pyhce.cli.output import add_row, console, error_console, new_table
from pyhce.counted import counted
from pyhce.deploy.drills import DrillEvent, DrillStep, FaultReport


def print_event(output: str) -> Callable[[int, DrillEvent], None]:
    """A function that prints each event: on standard error if standard output is for the report's JSON."""
    to = error_console if output == "json" else console

    def show(number: int, event: DrillEvent) -> None:
        if event.seconds == 0.0:
            to.print(f"step {number}")
        to.print(f"{event.seconds:>8.1f} s  {event.text}")

    return show


def show_report(report: FaultReport) -> None:
    """Print the steps, the writes of each lane, and what became of them."""
    steps = new_table("step", "fault", "leaders", "recovered", "longest silence", "acknowledged",
                      "failed", "load")  # fmt: skip
    for step, load in zip(report.steps, report.load, strict=True):
        recovered = f"{step.seconds} s" if step.healed else f"no: {step.missing}"
        add_row(steps, step.number, step.fault, _leaders(step), recovered, silence_words(step.longest_silence),
                step.acknowledged, step.failed, load)  # fmt: skip
    console.print(steps)
    lanes = new_table("lane", "acknowledged", "refused", "unknown", "of them stored", "lost", "torn", "longest silence")
    for lane in report.ledger.lanes:
        add_row(lanes, lane.lane, lane.acknowledged, lane.refused, lane.unknown, lane.unknown_stored, lane.lost,
                lane.torn, f"{lane.longest_silence:.1f} s")  # fmt: skip
    console.print(lanes)
    found = report.ledger
    left = f"; {counted(len(found.prepared), 'prepared transaction')} left" if found.prepared else ""
    kept = f"; the rows of the source {found.source} could not be deleted" if found.rows_kept else ""
    console.print(
        f"{counted(found.acknowledged, 'write')} acknowledged, {found.lost} of them lost, {found.torn} torn, "
        f"{found.unknown} of unknown outcome, {found.refused} refused; {report.seconds} s in total{left}{kept}",
        style="bold green" if report.ok else "bold red",
    )


def silence_words(seconds: float) -> str:
    """The length of a silence; below 0.5 s none is recorded."""
    return f"{seconds:.1f} s" if seconds else "< 0.5 s"


def _leaders(step: DrillStep) -> str:
    """The leaders of the groups that a step hit, with an arrow where another member leads."""
    found = []
    for name in step.groups:
        before, after = step.leaders_before.get(name) or "none", step.leaders_after.get(name) or "none"
        found.append(before if before == after else f"{before} → {after}")
    return ", ".join(found)
