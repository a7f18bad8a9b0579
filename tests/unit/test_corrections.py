"""Corrections that persons made, translated to documents of the present form."""

from __future__ import annotations

from collections.abc import Mapping

from pyhce.records.identity import provisional_document
from pyhce.records.upgrading.decision_translation import ANY_PATIENT, StoredDecision, translated_decisions
from pyhce.records.writing.manual_decisions import PatientKey

P, Q, R = ("s", "p"), ("s", "q"), ("t", "r")
Under = Mapping[str, Mapping[PatientKey, str]]


def kept(decisions: list[tuple[str, PatientKey, str]], under: Under) -> set[tuple[str, PatientKey, str]]:
    """Return what is kept of corrections, each as (stated document, patient, document that applies)."""
    done = translated_decisions([StoredDecision(*decision, None) for decision in decisions], under)
    return {(decision.stated, decision.patient, decision.holds) for decision in done.kept}


def merged(old: str, patient: PatientKey, new: str) -> list[tuple[str, PatientKey, str]]:
    """Return the corrections that a merge of a record with one Patient stores."""
    return [(old, ANY_PATIENT, new), (old, patient, new)]


def test_a_merge_of_two_documents_is_kept_in_their_new_form() -> None:
    found = kept(merged("NI-1", P, "SS-2"), {"SS-2": {P: "NI-1@urn:oid:1", Q: "US.SSN-2"}})
    assert found == set(merged("NI-1@urn:oid:1", P, "US.SSN-2"))


def test_a_merge_of_unchanged_documents_is_kept() -> None:
    assert kept(merged("CC-1", P, "CC-2"), {"CC-2": {P: "CC-1", Q: "CC-2"}}) == set(merged("CC-1", P, "CC-2"))


def test_a_patient_that_came_after_the_merge_does_not_hide_what_the_document_is() -> None:
    under = {"CC-2": {P: "NI-1@urn:oid:1", R: "NI-1@urn:oid:1", Q: "CC-2"}}
    assert kept(merged("NI-1", P, "CC-2"), under) == set(merged("NI-1@urn:oid:1", P, "CC-2"))


def test_a_rekey_keeps_the_document_that_was_typed() -> None:
    assert kept([("CC-1", P, "CC-2")], {"CC-2": {P: "CC-1"}}) == {("CC-1", P, "CC-2")}


def test_merges_one_after_the_other_are_kept() -> None:
    first = [("NI-1", ANY_PATIENT, "CC-3"), ("NI-1", P, "CC-3")]
    second = [("CC-2", ANY_PATIENT, "CC-3"), ("CC-2", P, "CC-3"), ("CC-2", Q, "CC-3")]
    found = kept([*first, *second], {"CC-3": {P: "NI-1@urn:oid:1", Q: "CC-2", R: "CC-3"}})
    assert found >= {("NI-1@urn:oid:1", P, "CC-3"), ("CC-2", Q, "CC-3"), ("CC-2", ANY_PATIENT, "CC-3")}


def test_a_merge_from_a_record_of_two_persons_is_dropped_and_reported() -> None:
    rows = [("MR-9", ANY_PATIENT, "CC-1"), ("MR-9", P, "CC-1"), ("MR-9", Q, "CC-1")]
    under = {"CC-1": {P: "MR-9@http://a-b", Q: "MR-9@http://ab", R: "CC-1"}}
    done = translated_decisions([StoredDecision(*row, None) for row in rows], under)
    assert done.kept == []
    assert [line.split(" ")[0] for line in done.dropped] == ["s/Patient/p", "s/Patient/q"]


def test_a_merge_into_a_record_of_two_persons_is_dropped_and_reported() -> None:
    under = {"MR-9": {P: "CC-1", Q: "MR-9@http://a-b", R: "MR-9@http://ab"}}
    done = translated_decisions([StoredDecision(*row, None) for row in merged("CC-1", P, "MR-9")], under)
    assert (done.kept, len(done.dropped)) == ([], 1)


def test_a_merge_of_a_provisional_record_is_kept() -> None:
    waiting = provisional_document(*P)
    assert kept([(waiting, P, "CC-1")], {"CC-1": {Q: "CC-1"}}) == {(waiting, P, "CC-1")}


def test_no_note_holds_a_document() -> None:
    under = {"CC-1": {P: "MR-9@http://a-b", Q: "MR-9@http://ab", R: "CC-1"}}
    rows = [("MR-9", P, "CC-1"), ("MR-9", Q, "CC-1")]
    notes = translated_decisions([StoredDecision(*row, None) for row in rows], under).dropped
    assert notes and not any("CC-1" in note or "MR-9" in note for note in notes)
