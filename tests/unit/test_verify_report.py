"""A verification's report, without a database."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from pyhce.errors import UsageError
from pyhce.schema.declaration import SCHEMA
from pyhce.verify import CheckResult, Result, VerificationReport, junit, verify

NOWHERE = "host=localhost port=1 connect_timeout=1"


def check(code: str, group: str, result: Result, found: str = "as it should be") -> CheckResult:
    return CheckResult(code=code, group=group, title="t", result=result, found=found, remedy="repair it", seconds=0.1)


def report(*checks: CheckResult) -> VerificationReport:
    return VerificationReport(
        engine="e", schema_version=1, installation=None, started_at="", seconds=0.2, checks=tuple(checks)
    )


@pytest.mark.parametrize(
    ("result", "status"), [(Result.OK, 0), (Result.WARNING, 0), (Result.SKIPPED, 0), (Result.FAILED, 1)]
)
def test_only_a_failure_makes_the_exit_status_1(result: Result, status: int) -> None:
    assert report(check("HCE0101", "nodes", result)).exit_code == status


def test_junit_has_one_suite_for_each_group() -> None:
    text = junit(
        report(
            check("HCE0101", "nodes", Result.OK),
            check("HCE0801", "settings", Result.SKIPPED),
            check("HCE0901", "nodes", Result.FAILED),
        )
    )
    suites = ElementTree.fromstring(text).findall("testsuite")  # noqa: S314 - our own text
    counts = [(s.get("name"), s.get("tests"), s.get("failures"), s.get("skipped")) for s in suites]
    assert counts == [("nodes", "2", "1", "0"), ("settings", "1", "0", "1")]


def test_junit_is_valid_xml_whatever_a_message_contains() -> None:
    message = "bell \x07, escape \x1b, <tag> & Ñandú"
    text = junit(report(check("HCE0101", "nodes", Result.FAILED, message)))
    failure = ElementTree.fromstring(text).find(".//failure")  # noqa: S314 - our own text
    assert failure is not None
    assert failure.get("message") == "bell \ufffd, escape \ufffd, <tag> & Ñandú"


def test_an_unknown_group_is_refused_before_connecting() -> None:
    with pytest.raises(UsageError, match="'indices'") as caught:
        verify(NOWHERE, schema=SCHEMA, groups=["schema", "indices"])
    assert caught.value.exit_code == 2
    assert "typed columns" in caught.value.remedy
