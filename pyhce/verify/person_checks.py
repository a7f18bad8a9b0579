"""HCE042x: Patients that share a document, and signs that two records are of one person; see docs/persons.md.

Findings name Patients as SOURCE/Patient/ID, which `pyhce patient merge` accepts, and never show a document.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, groupby

from psycopg import sql

from pyhce.counted import counted
from pyhce.schema.model import Home
from pyhce.verify.context import Context
from pyhce.verify.duplicates import fetched_in_chunks, table_identifier
from pyhce.verify.identity_checks import GROUP
from pyhce.verify.model import Finding, FunctionCheck, Result, ok
from pyhce.verify.patient_comparison import (
    CONTRADICTIONS_THAT_SEPARATE,
    TRAIT_COLUMNS,
    Traits,
    contradictions,
    kept_apart,
    traits_from_columns,
)

SHOWN = 200
"""How many cases the details of a finding list."""
COMPARED = 300
"""At most this many Patients of one record are compared. A placeholder number that more share is found all the same."""
NUIP = ("RC", "TI", "NUIP", "CC")
"""The types of document that have the same number during a Colombian's life, from the youngest age to the oldest."""
_URL = re.compile(r"(https?://.+)/Patient/([A-Za-z0-9.\-]{1,64})\Z", re.DOTALL)

PatientKey = tuple[str, str]
"""Source and id of a Patient."""


def patient_argument(patient: PatientKey) -> str:
    """A Patient as an argument of a command, quoted for a shell: SOURCE/Patient/ID."""
    source, key = patient
    return shlex.quote(f"{source}/Patient/{key}" if source else f"Patient/{key}")


def _counted(
    count: int, one: str, many: str, details: Sequence[str], fine: str, severity: Result = Result.WARNING
) -> Finding:
    """A finding with the number of cases, the first of them in its details."""
    if not count:
        return ok(fine)
    more = (f"… and {count - SHOWN} more",) if count > SHOWN else ()
    return Finding(result=severity, found=counted(count, one, many), details=(*details[:SHOWN], *more))


def kept_apart_patients(context: Context) -> Finding:
    """List the Patients that are kept apart from the record whose document they state."""
    rows = context.rows(
        "SELECT coalesce(mine.documento_id, everybody.documento_id, d.documento_calculado), d.fuente, d.paciente_id"
        " FROM hce.documento_en_disputa AS d"
        " LEFT JOIN hce.asignacion AS mine ON mine.documento_calculado = d.documento_calculado"
        " AND mine.fuente = d.fuente AND mine.paciente_id = d.paciente_id"
        " LEFT JOIN hce.asignacion AS everybody ON everybody.documento_calculado = d.documento_calculado"
        " AND everybody.fuente = '' AND everybody.paciente_id = '' ORDER BY 2, 3"
    )
    shown = rows[:SHOWN]
    in_records = _traits(context, "documento_id = ANY(%s)", [document for document, _, _ in shown])
    kept_out = _traits(context, "id = ANY(%s)", [key for _, _, key in shown])
    traits = {patient: found for _, patient, found in kept_out}
    details = []
    for document, source, key in shown:
        mine = traits.get((source, key))
        others = [(p, contradictions(mine, theirs)) for d, p, theirs in in_records if d == document and mine]
        other = next(
            (
                f" {patient_argument(p)}: {_and(what)}"
                for p, what in others
                if len(what) >= CONTRADICTIONS_THAT_SEPARATE
            ),
            " a deleted Patient",
        )
        details.append(f"{patient_argument((source, key))} contradicts{other}")
    return _counted(
        len(rows),
        "Patient is kept apart: it contradicts a Patient of the record whose document it states",
        "Patients are kept apart: each contradicts a Patient of the record whose document it states",
        details,
        "no Patient is kept apart from the record whose document it states",
    )


def contradicting_patients(context: Context) -> Finding:
    """List Patients of one record that contradict each other and are not confirmed to be one person."""
    confirmed = {
        frozenset(((source, key), (other, other_key)))
        for source, key, other, other_key in context.rows(
            "SELECT fuente, paciente_id, otra_fuente, otro_paciente_id FROM hce.misma_persona"
        )
    }
    count, worst, details = 0, 0, []
    for patients in _shared_records(context):
        for (one, left), (other, right) in combinations(patients[:COMPARED], 2):
            what = contradictions(left, right)
            if what and frozenset((one, other)) not in confirmed:
                count, worst = count + 1, max(worst, len(what))
                if count <= SHOWN:
                    details.append(f"{patient_argument(one)} and {patient_argument(other)}: {_and(what)}")
    return _counted(
        count,
        "pair of Patients of one record contradict each other",
        "pairs of Patients of one record contradict each other",
        details,
        "no Patients of one record contradict each other, unless they are confirmed to be one person",
        Result.FAILED if worst >= CONTRADICTIONS_THAT_SEPARATE else Result.WARNING,
    )


def _shared_records(context: Context) -> Iterator[list[tuple[PatientKey, Traits]]]:
    """The Patients, with their traits, of each record that has more than one."""
    query = sql.SQL(
        f"SELECT documento_id, fuente, id, {TRAIT_COLUMNS} FROM paciente"  # noqa: S608 - our own text
        " WHERE documento_id IN (SELECT documento_id FROM paciente GROUP BY documento_id HAVING count(*) > 1)"
        " ORDER BY documento_id, fuente, id"
    )
    rows = (row for chunk in fetched_in_chunks(context.conn, sql.Composed([query])) for row in chunk)
    for _, patients in groupby(rows, key=lambda row: row[0]):
        yield [((source, key), traits_from_columns(*columns)) for _, source, key, *columns in patients]


def _traits(context: Context, condition: str, values: Sequence[str]) -> list[tuple[str, PatientKey, Traits]]:
    """(document, key, traits) of the Patients that match a condition with one parameter, a list of values."""
    rows = context.rows(
        f"SELECT documento_id, fuente, id, {TRAIT_COLUMNS} FROM paciente WHERE {condition} ORDER BY fuente, id",  # noqa: S608
        sorted(set(values)),
    )
    return [(document, (source, key), traits_from_columns(*columns)) for document, source, key, *columns in rows]


def _and(what: Iterable[str]) -> str:
    return " and ".join(what)


def one_number(context: Context) -> Finding:
    """List records with the same number under two of RC, TI and CC.

    They are of one person who has grown up, unless their Patients contradict each other.
    """
    count, details = 0, []
    query = sql.SQL("SELECT documento_id FROM expediente WHERE documento_id ~ '^(RC|TI|NUIP)-[A-Z0-9]+$'")
    for chunk in fetched_in_chunks(context.conn, sql.Composed([query])):
        younger = {document.partition("-")[::2] for (document,) in chunk}
        older_documents = {
            (kind, number): [f"{k}-{number}" for k in NUIP[NUIP.index(kind) + 1 :]] for kind, number in younger
        }
        existing = {
            document
            for (document,) in context.rows(
                "SELECT documento_id FROM expediente WHERE documento_id = ANY(%s)",
                sorted({document for documents in older_documents.values() for document in documents}),
            )
        }
        pairs = [
            (f"{k}-{n}", older)
            for (k, n), olders in sorted(older_documents.items())
            for older in olders
            if older in existing
        ]
        patients = defaultdict(list)
        for document, patient, found in _traits(context, "documento_id = ANY(%s)", [d for pair in pairs for d in pair]):
            patients[document].append((patient, found))
        for young, old in pairs:
            both = [(a, b) for a in patients[young] for b in patients[old]]
            if both and not all(kept_apart(a[1], b[1]) for a, b in both):
                count += 1
                kinds = f"{young.partition('-')[0]} and {old.partition('-')[0]}"
                details.append(
                    f"{kinds}: pyhce patient merge {patient_argument(both[0][0][0])} {patient_argument(both[0][1][0])}"
                )
    return _counted(
        count,
        "pair of records has the same number under two of RC, TI and CC",
        "pairs of records have the same number under two of RC, TI and CC",
        details,
        "no number has records under two of RC, TI and CC",
    )


def linked_patients(context: Context) -> Finding:
    """List Patients whose `link` says that they replace or are replaced by a Patient of another record."""
    query = sql.SQL(
        "SELECT fuente, id, documento_id, l ->> 'type', l #>> '{other,reference}',"
        " hce.acortado(hce.clave(l -> 'other', 'Patient'))"
        " FROM paciente, jsonb_array_elements(hce.lista(recurso -> 'link')) AS e (l)"
        " WHERE recurso ? 'link' AND l ->> 'type' IN ('replaced-by', 'replaces')"
    )
    details = set()
    for chunk in fetched_in_chunks(context.conn, sql.Composed([query])):
        linked = [
            (source, key, document, kind, *_linked(source, reference, other))
            for source, key, document, kind, reference, other in chunk
        ]
        by_key: dict[PatientKey, list[tuple[PatientKey, str]]] = defaultdict(list)
        for source, key, document, claves in context.rows(
            "SELECT fuente, id, documento_id, claves FROM paciente WHERE claves && %s::text[]",
            sorted({key for *_, key in linked if key}),
        ):
            for clave in claves:
                by_key[source, clave].append(((source, key), document))
        for source, key, document, kind, other_source, other_key in linked:
            others = by_key.get((other_source, other_key or ""), [])
            if len({record for _, record in others}) == 1 and others[0][1] != document:
                pair = [(source, key), others[0][0]] if kind == "replaced-by" else [others[0][0], (source, key)]
                details.add(f"pyhce patient merge {patient_argument(pair[0])} {patient_argument(pair[1])}")
    return _counted(
        len(details),
        "pair of Patients in different records replace each other, by link.replaced-by or replaces",
        "pairs of Patients in different records replace each other, by link.replaced-by or replaces",
        sorted(details),
        "Patients that replace each other are in one record",
    )


def _linked(source: str, reference: str | None, key: str | None) -> tuple[str, str | None]:
    """Source and key of the Patient that a link names. The base of an absolute URL is the source."""
    if found := _URL.match(reference or ""):
        return found[1], found[2]
    return source, key


def waiting_by_identifier(context: Context) -> Finding:
    """Count resources in provisional records that name their patient by an identifier that a Patient has.

    A Patient of another source counts too while two Patients state the document of that identifier.
    """
    counts: dict[tuple[str, str], int] = defaultdict(int)
    for table in context.schema.resource_tables(Home.PATIENT):
        if table.fhir_type == "Patient":
            continue
        query = sql.SQL(
            "SELECT t.fuente, hce.acortado(split_part(t.paciente_id, '&documento=', 1)), count(*)"
            " FROM expediente AS e INNER JOIN {} AS t ON t.documento_id = e.documento_id"
            " WHERE e.provisional AND starts_with(t.paciente_id, 'identifier=')"
            " GROUP BY 1, 2"
        ).format(table_identifier(table))
        for source, key, count in context.conn.execute(query):
            counts[source, key] += count
    disputed = {
        document
        for row in context.rows(
            "SELECT d.documento_calculado, a.documento_id FROM hce.documento_en_disputa AS d"
            " LEFT JOIN hce.asignacion AS a USING (documento_calculado)"
        )
        for document in row
    }
    several = one = elsewhere = 0
    keys = sorted(counts)
    for start in range(0, len(keys), SHOWN):
        some = keys[start : start + SHOWN]
        records = defaultdict(set)
        contested = set()
        for source, document, claves in context.rows(
            "SELECT fuente, documento_id, claves FROM paciente WHERE claves && %s::text[]", sorted({k for _, k in some})
        ):
            for clave in claves:
                records[source, clave].add(document)
                if document in disputed and _number(clave) in {_number(document), _number(document.partition("@")[0])}:
                    contested.add(clave)
        elsewhere += sum(counts[key] for key in some if key not in records and key[1] in contested)
        several += sum(counts[key] for key in some if len(records[key]) > 1)
        one += sum(counts[key] for key in some if len(records[key]) == 1)
    details = [
        *(
            [
                counted(
                    several,
                    "names an identifier that fits several records",
                    "name an identifier that fits several records",
                )
            ]
            if several
            else []
        ),
        *(
            [
                counted(
                    one, "names an identifier that now fits one record", "name an identifier that now fits one record"
                )
            ]
            if one
            else []
        ),
        *(
            [
                f"{counted(elsewhere, 'names', 'name')} the identifier of a document that "
                "two Patients of another source state"
            ]
            if elsewhere
            else []
        ),
    ]
    return _counted(
        several + one + elsewhere,
        "resource waits in a provisional record because the identifier of its patient did not fit one record",
        "resources wait in provisional records because the identifier of their patient did not fit one record",
        details,
        "no resource waits because the identifier of its patient fits several records",
    )


def _number(text: str) -> str:
    """The letters and digits of the number in a key (`identifier=system|10.203`) or a document (`CC-10203`)."""
    number = text.partition("|")[2] if text.startswith("identifier=") else text.partition("-")[2]
    return re.sub(r"[^A-Z0-9]", "", number.upper())


def one_identifier(context: Context) -> Finding:
    """List Patients of different records with the same identifier, unless they contradict each other."""
    shared = sql.SQL(
        "SELECT k FROM (SELECT unnest(claves) AS k, documento_id FROM paciente) AS e"
        " WHERE starts_with(k, 'identifier=') AND NOT starts_with(k, 'identifier=|')"
        " GROUP BY k HAVING min(documento_id) <> max(documento_id)"
    )
    disputed = {(s, key) for s, key in context.rows("SELECT fuente, paciente_id FROM hce.documento_en_disputa")}
    details = set()
    for chunk in fetched_in_chunks(context.conn, sql.Composed([shared])):
        keys = sorted(key for (key,) in chunk)
        carriers: dict[str, dict[str, tuple[PatientKey, Traits]]] = defaultdict(dict)
        for document, source, key, claves, *columns in context.rows(
            f"SELECT documento_id, fuente, id, claves, {TRAIT_COLUMNS}"  # noqa: S608 - our own text
            " FROM paciente WHERE claves && %s::text[] ORDER BY fuente, id",
            keys,
        ):
            if (source, key) not in disputed:
                for clave in set(claves).intersection(keys):
                    carriers[clave].setdefault(document, ((source, key), traits_from_columns(*columns)))
        for records in carriers.values():
            (_, first), *others = sorted(records.items(), key=lambda record: _rank(record[0]), reverse=True)
            for _, other in others:
                if not kept_apart(first[1], other[1]):
                    details.add(f"pyhce patient merge {patient_argument(other[0])} {patient_argument(first[0])}")
    return _counted(
        len(details),
        "pair of records has Patients with the same identifier that do not contradict each other",
        "pairs of records have Patients with the same identifier that do not contradict each other",
        sorted(details),
        "no Patients of different records have the same identifier, unless they contradict each other",
    )


def _rank(document: str) -> tuple[int, str]:
    """The order of records for a merge: the highest is kept. National documents, then issued ones, then provisional."""
    return (0 if document.startswith("PROV-") else 1 if "@" in document else 2), document


CHECKS = (
    FunctionCheck(
        "HCE0420", GROUP, "No Patient is kept apart from the record whose document it states",
        "If both are one person: `pyhce patient merge FROM INTO`, with the Patients as listed. Otherwise correct the "
        "identifier at its source and load the Patient again.",
        kept_apart_patients,
    ),
    FunctionCheck(
        "HCE0421", GROUP, "Patients of one record do not contradict each other",
        "If they are one person, confirm it: `pyhce patient merge FROM INTO`, with both Patients as listed. "
        "If they are two: `pyhce patient split DOCUMENTO --patient SOURCE/ID --to NEW`.",
        contradicting_patients,
    ),
    FunctionCheck(
        "HCE0422", GROUP, "Each Colombian number is under only one of RC, TI and CC",
        "Run the listed command if both records are of one person.", one_number,
    ),
    FunctionCheck(
        "HCE0423", GROUP, "Patients that replace each other are in one record",
        "Run the listed command if both records are of one person.", linked_patients,
    ),
    FunctionCheck(
        "HCE0424", GROUP, "Every identifier that names a patient leads to one record",
        "Merge the records that are of one person (`pyhce patient merge FROM INTO`): the waiting resources move there. "
        "Or correct the identifiers and load the resources again: `pyhce load --again PATHS`.",
        waiting_by_identifier,
    ),
    FunctionCheck(
        "HCE0425", GROUP, "Patients with the same identifier are in one record",
        "Run the listed command if both records are of one person.", one_identifier,
    ),
)  # fmt: skip
