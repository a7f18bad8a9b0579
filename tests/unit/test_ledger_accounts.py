"""The accounting of a ledger: outcomes against the rows that exist, and silences."""

from __future__ import annotations

import pytest

from pyhce.verify.ledger import Outcome, Silence, Write
from pyhce.verify.ledger.accounts import (
    LaneReport,
    LedgerReport,
    PreparedTransaction,
    WrongWrite,
    lane_report,
    silences,
)

OK, REFUSED, UNKNOWN = Outcome.ACKNOWLEDGED, Outcome.REFUSED, Outcome.UNKNOWN


def reported(writes: list[Write], found: dict[str, int], copies_a_row: int = 1) -> LaneReport:
    report, _ = lane_report("multi", writes, found, copies_a_row=copies_a_row, end=4.0)
    return report


def write(outcome: Outcome, *rows: str, at: float = 1.0) -> Write:
    return Write("multi", rows, outcome, at)


@pytest.mark.parametrize(
    ("outcome", "found", "counts"),
    [
        (OK, {"a": 1, "b": 1}, {"acknowledged": 1}),
        (OK, {}, {"acknowledged": 1, "lost": 1}),
        (OK, {"b": 1}, {"acknowledged": 1, "torn": 1}),
        (UNKNOWN, {"a": 1, "b": 1}, {"unknown": 1, "unknown_stored": 1}),
        (UNKNOWN, {}, {"unknown": 1}),
        (UNKNOWN, {"a": 1}, {"unknown": 1, "torn": 1}),
        (REFUSED, {}, {"refused": 1}),
        (REFUSED, {"a": 1, "b": 1}, {"refused": 1, "refused_stored": 1}),
        (REFUSED, {"a": 1}, {"refused": 1, "torn": 1}),
    ],
)
def test_a_write_of_two_rows_is_counted_by_its_outcome_and_the_rows_found(
    outcome: Outcome, found: dict[str, int], counts: dict[str, int]
) -> None:
    report = reported([write(outcome, "a", "b")], found)
    names = ("acknowledged", "refused", "unknown", "unknown_stored", "refused_stored", "lost", "torn")
    assert {name: getattr(report, name) for name in names} == {**dict.fromkeys(names, 0), **counts}


def test_a_row_of_a_reference_table_is_torn_if_one_node_lacks_it() -> None:
    writes = [write(OK, "a"), write(OK, "b", at=2.5), write(OK, "c")]
    report, wrong = lane_report("reference", writes, {"a": 3, "b": 2}, copies_a_row=3, end=4.0)
    assert (report.torn, report.lost) == (1, 1)
    assert wrong == (
        WrongWrite(lane="reference", at=2.5, outcome=OK, found=2, expected=3),
        WrongWrite(lane="reference", at=1.0, outcome=OK, found=0, expected=3),
    )


def test_a_write_that_never_had_a_row_is_refused_and_nothing_else() -> None:
    report = reported([write(REFUSED)], {})
    assert (report.refused, report.refused_stored, report.lost, report.torn) == (1, 0, 0, 0)


def test_silences_reach_from_the_start_to_the_end() -> None:
    assert silences("multi", [0.25, 0.5, 3.0], 10.0) == (
        Silence(lane="multi", start=0.0, seconds=0.25),
        Silence(lane="multi", start=0.25, seconds=0.25),
        Silence(lane="multi", start=0.5, seconds=2.5),
        Silence(lane="multi", start=3.0, seconds=7.0),
    )
    assert silences("multi", [], 10.0) == (Silence(lane="multi", start=0.0, seconds=10.0),)


def test_a_report_lists_the_silences_that_a_person_would_notice() -> None:
    times = [0.25, 0.5, 0.75, 3.5, 3.75]
    report = reported([write(OK, f"{at}", at=at) for at in times], {f"{at}": 1 for at in times})
    assert report.silences == (Silence(lane="multi", start=0.75, seconds=2.75),)
    assert report.longest_silence == 2.75
    assert report.silences[0].end == 3.5


def test_refused_and_unknown_writes_do_not_end_a_silence() -> None:
    writes = [write(OK, "a", at=0.25), write(REFUSED, at=2.0), write(UNKNOWN, "b", at=3.0)]
    assert reported(writes, {"a": 1, "b": 1}).longest_silence == 3.75


@pytest.mark.parametrize(
    ("writes", "found", "age", "ok"),
    [
        ([write(OK, "a")], {"a": 1}, 90.0, True),
        ([write(OK, "a")], {"a": 1}, 90.5, False),
        ([write(OK, "a")], {}, 1.0, False),
        ([write(UNKNOWN, "a", "b")], {"a": 1}, 1.0, False),
        ([write(UNKNOWN, "a", "b")], {}, 1.0, True),
    ],
)
def test_a_ledger_is_ok_without_lost_torn_or_forgotten_transactions(
    writes: list[Write], found: dict[str, int], age: float, ok: bool
) -> None:
    lane, wrong = lane_report("multi", writes, found, copies_a_row=1, end=4.0)
    left = PreparedTransaction(node="citus-worker-0:5432", gid="citus_0_1_2_3", age=age)
    report = LedgerReport(
        source="drill-ledger-1", started_at=0.0, seconds=4.0, lanes=(lane,), wrong=wrong, prepared=(left,)
    )
    assert report.ok is ok
    assert LedgerReport.model_validate_json(report.model_dump_json()) == report
