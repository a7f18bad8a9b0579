"""Write a verification's report as JUnit XML, for CI systems."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from pyhce.verify.model import Result, VerificationReport

_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot represent."""


def junit(report: VerificationReport) -> str:
    """The report as JUnit XML: a testsuite for each group, a testcase for each check. A warning passes."""
    root = ElementTree.Element("testsuites", name="pyhce verify", time=f"{report.seconds:.3f}")
    for group in dict.fromkeys(check.group for check in report.checks):
        checks = [check for check in report.checks if check.group == group]
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
                failure = ElementTree.SubElement(case, "failure", message=_text(check.found))
                failure.text = _text(*check.details, check.remedy or "")
            elif check.result is Result.SKIPPED:
                ElementTree.SubElement(case, "skipped", message=_text(check.found))
            else:
                ElementTree.SubElement(case, "system-out").text = _text(check.found, *check.details)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _text(*lines: str) -> str:
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", "\n".join(lines))
