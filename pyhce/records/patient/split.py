"""Split: undo a wrong merge, with the history.

A Patient leaves the record together with every resource and former version that names it, whenever it was written: by
its id, or by an identifier that no other Patient of its source in the record carries. If both Patients carry an
identifier, it names two records afterwards, and resources that use it go to a provisional record. The corrections that
the merge stored are deleted, so a merge and then a split restore the former tables.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from psycopg import Connection
from psycopg.rows import TupleRow

from pyhce.errors import UsageError
from pyhce.records.identity import (
    DEFAULT_RULES,
    PROVISIONAL,
    DocumentRule,
    check_document,
    patient_document,
    provisional_document,
)
from pyhce.records.patient.corrections import CorrectionReport, record_exists, run_correction
from pyhce.records.patient.patients import check_patient, format_patient_for_error, patient_keys
from pyhce.records.patient.waiting import identifiers_without_patient, move_to_waiting
from pyhce.records.reading.stored_references import keys_of
from pyhce.records.writing.claims import Claim, document_lock_key, patients_in, patients_kept_apart
from pyhce.records.writing.manual_decisions import PatientKey, confirmed_pairs, patients_assigned_to
from pyhce.records.writing.patient_keys import identifiers_in, look_up_holders
from pyhce.records.writing.patient_locks import lock_patients
from pyhce.records.writing.record_moves import move_patient
from pyhce.records.writing.retry import ConcurrentChange
from pyhce.schema.model import Schema
from pyhce.verify.patient_comparison import traits_of


def split(
    conn: Connection[TupleRow],
    document: str,
    new: str,
    *,
    patients: Sequence[str],
    schema: Schema,
    rules: tuple[DocumentRule, ...] = DEFAULT_RULES,
    dry_run: bool = False,
) -> CorrectionReport:
    """Move Patients, and the resources that name them, out of a record into a record of their own.

    Args:
        document: the document of the record that they are wrongly in.
        new: the document that they get; no record may have it. It may be provisional (PROV-…) only if it is the
            provisional document of one of these Patients.
        patients: the Patients, each as SOURCE/ID.
        rules: the identity rules of the loads.
        dry_run: change nothing; report what would be moved.

    Raises:
        UsageError: a document is not valid, both are the same, there is no record under `document`, there is already
            one under `new`, or a Patient is not in the record.
        HceError: every attempt met a conflict with other writers.
    """
    old, target = check_document(document, "DOCUMENTO"), check_document(new, "NEW")
    if old == target:
        raise UsageError("DOCUMENTO and NEW are the same document", remedy="Give a document that no record has as NEW.")
    leaving = list(dict.fromkeys(check_patient(text) for text in patients))
    if not leaving:
        raise UsageError("no Patient is given", remedy="Give at least one: --patient SOURCE/ID")
    if target.startswith(PROVISIONAL) and target not in {provisional_document(*patient) for patient in leaving}:
        raise UsageError(
            "the document given as NEW is another patient's provisional document",
            remedy="Give an identity document, or the provisional document of a Patient given with --patient.",
        )

    def work() -> CorrectionReport:
        return _Split(conn, schema, rules, old, target, leaving).run(dry_run=dry_run)

    return run_correction(conn, "split", work, schema=schema, dry_run=dry_run)


class _Split:
    """A split that is running, in a transaction."""

    def __init__(
        self,
        conn: Connection[TupleRow],
        schema: Schema,
        rules: tuple[DocumentRule, ...],
        old: str,
        new: str,
        leaving: list[PatientKey],
    ) -> None:
        self.conn, self.schema, self.rules = conn, schema, rules
        self.old, self.new, self.leaving = old, new, leaving
        self.returned = 0

    def run(self, *, dry_run: bool) -> CorrectionReport:
        """Lock, move, then delete what the merge stored."""
        keys = self._keys()
        locked = {*(key for names in keys.values() for key in names), *self.leaving}
        locked |= set(identifiers_in(self.conn, self.schema, self.old))
        lock_patients(self.conn, [*locked, document_lock_key(self.old), document_lock_key(self.new)])
        self._refuse()
        if keys != self._keys():
            raise ConcurrentChange
        goals = self._goals(keys)
        going = sorted(key for key, goal in goals.items() if goal == self.new)
        self._create()
        moved = self._move(goals)
        self._forget_pairs()
        stated = self._reassign(going)
        for patient in self.leaving:
            self._settle(patient, stated[patient])
        return CorrectionReport(moved=moved + self.returned, patients=len(going), dry_run=dry_run)

    def _refuse(self) -> None:
        if not record_exists(self.conn, self.old):
            raise UsageError(
                "there is no record under the document given as DOCUMENTO",
                remedy="Check the document's type and number.",
            )
        if record_exists(self.conn, self.new):
            raise UsageError(
                "there is already a record under the document given as NEW",
                remedy="Split to a document that no record has, then merge: pyhce patient merge FROM INTO",
            )
        present = {*patient_keys(self.conn, self.old, self.schema)}
        for patient in self.leaving:
            if patient not in present:
                raise UsageError(
                    f"{format_patient_for_error(patient)} is not in the record given as DOCUMENTO",
                    remedy="List the source and id of its Patients: pyhce patient DOCUMENTO --output json",
                )

    def _keys(self) -> dict[PatientKey, set[PatientKey]]:
        """Return every key of each Patient that leaves, former keys too."""
        found: dict[PatientKey, set[PatientKey]] = {patient: {patient} for patient in self.leaving}
        rows = self.conn.execute(
            "SELECT fuente, id, recurso FROM paciente WHERE documento_id = %(d)s UNION ALL"
            " SELECT fuente, id, recurso FROM historia WHERE documento_id = %(d)s AND tipo = 'Patient'",
            {"d": self.old},
        )
        for source, key, content in rows:
            if (source, key) in found:
                found[source, key] |= {(source, own) for own in keys_of(content, key, self.rules)}
        return found

    def _goals(self, keys: dict[PatientKey, set[PatientKey]]) -> dict[PatientKey, str]:
        """Return, for each key, the document to which resources that use it belong after the split."""
        wanted: dict[str, set[str]] = defaultdict(set)
        for source, key in set().union(*keys.values()):
            wanted[source].add(key)
        goals = {}
        for source, names in wanted.items():
            holders = look_up_holders(self.conn, source, names, self.rules)
            for key in names:
                after = {
                    self.new if (source, holder) in keys else document
                    for holder, document in holders.get(key, {}).items()
                }
                goals[source, key] = (
                    provisional_document(source, key) if len(after) > 1 else next(iter(after), self.new)
                )
        return goals

    def _create(self) -> None:
        """Insert the anchor, with the creation time of the record that was merged."""
        row = self.conn.execute(
            "SELECT max(expediente_creado_en) FROM hce.asignacion WHERE documento_calculado = %s AND documento_id = %s",
            (self.new, self.old),
        ).fetchone()
        self.conn.execute(
            "INSERT INTO expediente (documento_id, provisional, creado_en)"
            " VALUES (%s, starts_with(%s, %s), coalesce(%s::timestamptz, now()))",
            (self.new, self.new, PROVISIONAL, row[0] if row else None),
        )

    def _move(self, goals: dict[PatientKey, str]) -> int:
        together: dict[tuple[str, str], list[str]] = defaultdict(list)
        waits = [key for key, goal in goals.items() if goal == provisional_document(*key) and goal != self.new]
        for (source, key), goal in sorted(goals.items()):
            if goal != self.old and (source, key) not in waits:
                together[goal, source].append(key)
        return move_to_waiting(self.conn, self.schema, self.old, waits) + sum(
            move_patient(self.conn, self.schema, old=self.old, new=goal, fuente=source, keys=keys)
            for (goal, source), keys in sorted(together.items())
        )

    def _forget_pairs(self) -> None:
        """Delete the confirmations that a Patient that leaves and one that stays are one person."""
        for one in self.leaving:
            for pair in confirmed_pairs(self.conn, {one, *self._staying()}):
                if one in pair and not pair <= set(self.leaving):
                    first, second = sorted(pair)
                    self.conn.execute(
                        "DELETE FROM hce.misma_persona WHERE fuente = %s AND paciente_id = %s"
                        " AND otra_fuente = %s AND otro_paciente_id = %s",
                        (*first, *second),
                    )

    def _staying(self) -> set[PatientKey]:
        return {(source, key) for _, source, key, _ in patients_in(self.conn, [self.old])}

    def _reassign(self, going: Sequence[PatientKey]) -> dict[PatientKey, set[str]]:
        """Redirect the corrections of these keys to the new document; return which documents each Patient may state.

        For example, a merge of CC-1 (Patient s/p1) into CC-2 stored "CC-1, of every Patient, is CC-2" and "CC-1, of
        s/p1, is CC-2". A split of s/p1 to CC-1 deletes both, because CC-1 applies again. A split to CC-3 makes both
        lead to CC-3. If another Patient that states CC-1 stays in CC-2, the correction of every Patient is unchanged.
        """
        rows = self.conn.execute(
            "SELECT documento_calculado, fuente, paciente_id FROM hce.asignacion WHERE documento_id = %s", (self.old,)
        ).fetchall()
        redirected: dict[PatientKey, set[str]] = defaultdict(set)
        for stated, source, key in rows:
            redirected[source, key].add(stated)
        gone = set(going)
        every_patient = redirected.pop(("", ""), set())
        stay = {d for patient, documents in redirected.items() if patient not in gone for d in documents}
        brought = {d for patient in gone for d in redirected.get(patient, ())}
        moving_on = {d for d in every_patient if d == self.new or (d in brought and d not in stay)}
        for stated in moving_on:
            self._lead(stated, ("", ""))
        for patient in going:
            for stated in redirected.get(patient, ()):
                self._lead(stated, patient)
        here = {self.old, *every_patient} - moving_on
        return {
            patient: redirected.get(patient, set()) - {provisional_document(*patient)} or here
            for patient in self.leaving
        }

    def _lead(self, stated: str, patient: PatientKey) -> None:
        """Store that a stated document leads to the new one; delete the correction if it is the new one."""
        if stated == self.new:
            query = "DELETE FROM hce.asignacion WHERE documento_calculado = %s AND fuente = %s AND paciente_id = %s"
            self.conn.execute(query, (stated, *patient))
        else:
            self.conn.execute(
                "INSERT INTO hce.asignacion (documento_calculado, fuente, paciente_id, documento_id)"
                " VALUES (%s, %s, %s, %s) ON CONFLICT (documento_calculado, fuente, paciente_id)"
                " DO UPDATE SET documento_id = excluded.documento_id",
                (stated, *patient, self.new),
            )

    def _settle(self, patient: PatientKey, stated: set[str]) -> None:
        """Keep later loads from moving a Patient back: by a dispute if it contradicts others, else by a correction."""
        if self.new in stated:
            return
        found = patients_in(self.conn, {self.new, *stated})
        own = next((content for _, *key, content in found if tuple(key) == patient), {})
        computed = patient_document(own, self.rules)  # of several that it may state
        for document in [computed] if computed in stated else sorted(stated):
            self._lead(document, patient)
            if self.new == provisional_document(*patient) and self._contradicts(patient, document):
                self.conn.execute(
                    "DELETE FROM hce.asignacion WHERE documento_calculado = %s AND fuente = %s AND paciente_id = %s",
                    (document, *patient),
                )
                self.conn.execute(
                    "INSERT INTO hce.documento_en_disputa (documento_calculado, fuente, paciente_id)"
                    " VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
                    (document, *patient),
                )
                strays = identifiers_without_patient(self.conn, self.schema, self.old, document, self.rules)
                self.returned += move_to_waiting(self.conn, self.schema, self.old, strays)

    def _contradicts(self, patient: PatientKey, document: str) -> bool:
        """Whether the rule of contradictions alone keeps a Patient out of the record that it has left."""
        assigned = patients_assigned_to(self.conn, [document])
        claims = {
            (source, key): Claim((source, key), document, document, place, (), traits_of(content))
            for place, source, key, content in patients_in(self.conn, [document, self.new])
            if place == document or (source, key) == patient
        }
        confirmed = (
            c._replace(confirmed=(document, *c.patient) in assigned and c.patient != patient) for c in claims.values()
        )
        return patient in patients_kept_apart(confirmed, confirmed_pairs(self.conn, set(claims)))
