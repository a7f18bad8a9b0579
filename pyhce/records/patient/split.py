"""Split: undo a wrong merge, history included.

What a Patient brought into a record leaves it with the Patient: every resource and former version that names it by its
id, or by an identifier that no other Patient of its source in the record carries, whenever it was written. An
identifier that both carry fits two records afterwards: what names its patient so goes to a provisional one. What the
merge remembered is forgotten, so that merge, then split, gives the former tables.
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
    """Take Patients, with all that names them, out of a record into one of their own.

    Args:
        document: the record that they are wrongly in.
        new: the document that they get: no record has it. A provisional one only if it is one of theirs (PROV-…).
        patients: each as SOURCE/ID; several go together.
        rules: which identifiers are documents, as for the loads.

    Raises:
        UsageError: a document is not written as one, both are the same, there is no record DOCUMENTO, there is one NEW
            already, a Patient is not in the record.
    """
    old, target = check_document(document, "DOCUMENTO"), check_document(new, "NEW")
    if old == target:
        raise UsageError("DOCUMENTO and NEW are the same", remedy="Give NEW a document that no record has.")
    leaving = list(dict.fromkeys(check_patient(text) for text in patients))
    if not leaving:
        raise UsageError("no Patient is named", remedy="Name at least one: --patient SOURCE/ID.")
    if target.startswith(PROVISIONAL) and target not in {provisional_document(*patient) for patient in leaving}:
        raise UsageError(
            "the document given as NEW is another patient's provisional one",
            remedy="Give an identity document, or the provisional one that a Patient named with --patient had.",
        )

    def work() -> CorrectionReport:
        return _Split(conn, schema, rules, old, target, leaving).run(dry_run=dry_run)

    return run_correction(conn, work, schema=schema, dry_run=dry_run)


class _Split:
    """A split under way, inside a transaction."""

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
        """Lock, move, then forget what the merge remembered."""
        keys = self._keys()
        held = {*(key for names in keys.values() for key in names), *self.leaving}
        held |= set(identifiers_in(self.conn, self.schema, self.old))
        lock_patients(self.conn, [*held, document_lock_key(self.old), document_lock_key(self.new)])
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
                "there is no record under the document given as DOCUMENTO", remedy="Check the type and the number."
            )
        if record_exists(self.conn, self.new):
            raise UsageError(
                "there is a record under the document given as NEW already",
                remedy="Split to a document that no record has, then: pyhce patient merge FROM INTO.",
            )
        there = {*patient_keys(self.conn, self.old, self.schema)}
        for patient in self.leaving:
            if patient not in there:
                raise UsageError(
                    f"{format_patient_for_error(patient)} is not in the record given as DOCUMENTO",
                    remedy="pyhce patient DOCUMENTO --output json lists the source and id of every Patient in it.",
                )

    def _keys(self) -> dict[PatientKey, set[PatientKey]]:
        """Every key of each Patient that leaves, as (source, key), former ones too."""
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
        """Where what names its patient by each key belongs once they have left."""
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
        """Make the anchor, created when the record was that was merged."""
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
        """The Patients that leave are no longer confirmed to be one with those that stay."""
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
        """Lead to the new document what led here with these keys; the documents that each Patient may state."""
        rows = self.conn.execute(
            "SELECT documento_calculado, fuente, paciente_id FROM hce.asignacion WHERE documento_id = %s", (self.old,)
        ).fetchall()
        led: dict[PatientKey, set[str]] = defaultdict(set)
        for stated, source, key in rows:
            led[source, key].add(stated)
        gone = set(going)
        everybody = led.pop(("", ""), set())
        stay = {d for patient, documents in led.items() if patient not in gone for d in documents}
        brought = {d for patient in gone for d in led.get(patient, ())}
        leading_on = {d for d in everybody if d == self.new or (d in brought and d not in stay)}
        for stated in leading_on:
            self._lead(stated, ("", ""))
        for patient in going:
            for stated in led.get(patient, ()):
                self._lead(stated, patient)
        here = {self.old, *everybody} - leading_on
        return {patient: led.get(patient, set()) - {provisional_document(*patient)} or here for patient in self.leaving}

    def _lead(self, stated: str, patient: PatientKey) -> None:
        """Lead a stated document to the new one; it needs no leading if it is the new one."""
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
        """See that later loads keep a Patient out: as it contradicts those there, else as a person assigned it."""
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
        """Whether the rule alone keeps a Patient that has left out of a record."""
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
