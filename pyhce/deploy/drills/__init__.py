"""Drills: break a part of a running database on purpose, and report how it recovered."""

from pyhce.deploy.drills.drills import (
    TIMEOUT,
    api_server,
    freeze,
    machine,
    network,
    pod_failure,
    switchover,
)
from pyhce.deploy.drills.page import html_page
from pyhce.deploy.drills.report import DrillEvent, DrillStep, FaultReport, LaneStep

__all__ = [
    "TIMEOUT",
    "DrillEvent",
    "DrillStep",
    "FaultReport",
    "LaneStep",
    "api_server",
    "freeze",
    "html_page",
    "machine",
    "network",
    "pod_failure",
    "switchover",
]
