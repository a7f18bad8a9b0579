"""The report of a drill as one page of HTML, which loads nothing from anywhere."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import jinja2

from pyhce.deploy.drills.report import DrillStep, FaultReport

_WIDTH = 860.0
_LABEL_WIDTH = 210.0
_ROW_HEIGHT = 22


def html_page(report: FaultReport) -> str:
    """The page: the result, a table of the steps, and a picture of each step's silences and events."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("pyhce.deploy.drills"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return templates.get_template("drill.html.j2").render(
        report=report,
        started=datetime.fromtimestamp(report.started_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        steps=[(step, load, _picture(step)) for step, load in zip(report.steps, report.load, strict=True)],
    )


def _picture(step: DrillStep) -> dict[str, object]:
    """The coordinates of a step's picture: a row for each lane, a bar for each silence, a line for each event."""
    span = max(step.seconds, *(event.seconds for event in step.events), 1.0)
    scale = (_WIDTH - _LABEL_WIDTH) / span

    def x(seconds: float) -> float:
        return round(_LABEL_WIDTH + min(max(seconds, 0.0), span) * scale, 1)

    rows = []
    for number, lane in enumerate(step.lanes):
        bars = [
            {"x": x(silence.start), "width": max(x(silence.end) - x(silence.start), 1.0), "seconds": silence.seconds}
            for silence in step.silences
            if silence.lane == lane.lane
        ]
        rows.append({"y": number * _ROW_HEIGHT, "name": lane.lane, "bars": bars})
    height = len(step.lanes) * _ROW_HEIGHT
    tick = _tick(span)
    return {
        "rows": rows,
        "events": [{"x": x(event.seconds), "text": f"{event.seconds} s: {event.text}"} for event in step.events],
        "ticks": [{"x": x(n * tick), "text": f"{n * tick:g} s"} for n in range(math.floor(span / tick) + 1)],
        "width": _WIDTH + 30,
        "height": height + 26,
        "axis": height,
        "left": _LABEL_WIDTH,
        "right": _WIDTH,
    }


def _tick(span: float) -> float:
    """The distance of the marks on the axis: at most ten of them."""
    return next(step for step in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 3600) if span / step <= 10 or step == 3600)
