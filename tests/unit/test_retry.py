"""Retries: the limit, the order of steps, and what is not retried."""

import psycopg
import pytest

from pyhce.errors import HceError
from pyhce.records.writing import retry
from pyhce.records.writing.retry import ATTEMPTS, ConcurrentChange, DuplicateResources, call_with_retries, gave_up


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "_BACKOFF", lambda state: 0.0)


def test_a_conflict_is_retried_until_the_call_ends_well(pauses: None) -> None:
    steps: list[object] = []

    def call(attempt: int) -> str:
        steps.append(attempt)
        if attempt < 3:
            raise ConcurrentChange
        return "done"

    assert call_with_retries(call, remedy="", before_retry=lambda _: steps.append("before retry")) == "done"
    assert steps == [1, "before retry", 2, "before retry", 3]


def test_after_the_last_attempt_nothing_is_prepared_and_the_error_says_what_to_do(pauses: None) -> None:
    prepared: list[BaseException] = []

    def call(attempt: int) -> None:
        raise psycopg.errors.DeadlockDetected("detail that may name a patient")

    with pytest.raises(HceError) as failed:
        call_with_retries(call, remedy="Run it again.", before_retry=prepared.append)
    assert len(prepared) == ATTEMPTS - 1
    assert failed.value.wrong == (
        "gave up after 12 attempts: concurrent changes to the same rows (last conflict: deadlock)"
    )
    assert failed.value.remedy.startswith("Run it again.")


def test_an_error_that_is_not_a_conflict_is_raised_at_once() -> None:
    attempts: list[int] = []

    def call(attempt: int) -> None:
        attempts.append(attempt)
        raise KeyError("x")

    with pytest.raises(KeyError):
        call_with_retries(call, remedy="")
    assert attempts == [1]


def test_an_error_that_is_retried_on_request_is_raised_as_it_is_after_the_last_attempt(pauses: None) -> None:
    def call(attempt: int) -> None:
        raise psycopg.OperationalError(f"attempt {attempt}")

    with pytest.raises(psycopg.OperationalError, match="attempt 12"):
        call_with_retries(call, remedy="", retries_also=lambda error, attempt: True)


def test_a_retry_at_once_has_no_pause(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(retry, "_BACKOFF", lambda state: pytest.fail("a pause was computed"))

    def call(attempt: int) -> None:
        if attempt == 1:
            raise DuplicateResources("", [("Observation", "o")])

    call_with_retries(call, remedy="", retries_at_once=lambda error: True)
    assert "resources are stored in several places; retrying in 0.00 s" in caplog.text


def test_the_error_after_the_last_attempt_accuses_no_other_writer() -> None:
    error = gave_up(ConcurrentChange(), remedy="Again.")
    assert "other writers" not in error.wrong
    assert "pyhce repair identities" in error.remedy
