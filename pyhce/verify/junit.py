"""A report as JUnit XML, for CI systems."""

from __future__ import annotations

from itertools import groupby
from xml.etree import ElementTree

from pyhce.verify.model import Result, VerificationReport


def junit(report: VerificationReport) -> str:
    """A testsuite for each group, a testcase for each check."""
    root = ElementTree.Element("testsuites", name="pyhce verify", time=f"{report.seconds:.3f}")
    for group, held in groupby(report.checks, key=lambda check: check.group):
        checks = list(held)
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=group,
            tests=str(len(checks)),
            failures=str(sum(c.result is Result.FAILED for c in checks)),
            skipped=str(sum(c.result is Result.SKIPPED for c in checks)),
            time=f"{sum(c.seconds for c in checks):.3f}",
        )
        for check in checks:
            case = ElementTree.SubElement(
                suite, "testcase", classname=group, name=f"{check.code} {check.title}", time=f"{check.seconds:.3f}"
            )
            if check.result is Result.FAILED:
                failure = ElementTree.SubElement(case, "failure", message=check.found)
                failure.text = "\n".join((*check.details, check.remedy or ""))
            elif check.result is Result.SKIPPED:
                ElementTree.SubElement(case, "skipped", message=check.found)
            else:
                ElementTree.SubElement(case, "system-out").text = "\n".join((check.found, *check.details))
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
