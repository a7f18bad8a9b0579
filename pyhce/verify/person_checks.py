"""04: Patients that share a document, and what says that two records are of one person; docs/persons.md.

Patients are named as SOURCE/Patient/ID, as `pyhce patient merge` accepts them; a document is never shown.
"""

from __future__ import annotations

import re
import shlex
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, groupby

from psycopg import sql

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
"""Cases that are listed one by one."""
COMPARED = 300
"""Patients of one record that are compared with each other: a number that everybody gives out is found all the same."""
NUIP = ("RC", "TI", "NUIP", "CC")
"""The documents that carry one number in a Colombian's life, in the order of age."""
_URL = re.compile(r"(https?://.+)/Patient/([A-Za-z0-9.\-]{1,64})\Z", re.DOTALL)

Patient = tuple[str, str]
"""A source and an id."""


def words(patient: Patient) -> str:
    """A Patient as a command takes it."""
    source, key = patient
    return shlex.quote(f"{source}/Patient/{key}" if source else f"Patient/{key}")


def _found(count: int, what: str, details: Sequence[str], fine: str, severity: Result = Result.WARNING) -> Finding:
    """A count, and the first cases."""
    if not count:
        return ok(fine)
    more = (f"… and {count - SHOWN} more",) if count > SHOWN else ()
    return Finding(result=severity, found=f"{count} {what}", details=(*details[:SHOWN], *more))


def apart(context: Context) -> Finding:
    """Patients that are kept apart from the record whose document they state."""
    rows = context.rows(
        "SELECT coalesce(mine.documento_id, everybody.documento_id, d.documento_calculado), d.fuente, d.paciente_id"
        " FROM hce.documento_en_disputa AS d"
        " LEFT JOIN hce.asignacion AS mine ON mine.documento_calculado = d.documento_calculado"
        " AND mine.fuente = d.fuente AND mine.paciente_id = d.paciente_id"
        " LEFT JOIN hce.asignacion AS everybody ON everybody.documento_calculado = d.documento_calculado"
        " AND everybody.fuente = '' AND everybody.paciente_id = '' ORDER BY 2, 3"
    )
    shown = rows[:SHOWN]
    held = _traits(context, "documento_id = ANY(%s)", [document for document, _, _ in shown])
    own = _traits(context, "id = ANY(%s)", [key for _, _, key in shown])
    traits = {patient: said for _, patient, said in own}
    details = []
    for document, source, key in shown:
        mine = traits.get((source, key))
        others = [(p, contradictions(mine, said)) for d, p, said in held if d == document and mine]
        named = next(
            (f" {words(p)}: {_and(what)}" for p, what in others if len(what) >= CONTRADICTIONS_THAT_SEPARATE),
            " a deleted Patient",
        )
        details.append(f"{words((source, key))} contradicts{named}")
    return _found(
        len(rows),
        "Patients are kept apart: they contradict a Patient that has the document that they state",
        details,
        "no Patient is kept apart from the record whose document it states",
    )


def contradicting(context: Context) -> Finding:
    """Patients of one record that contradict each other and are not confirmed to be one person."""
    confirmed = {
        frozenset(((source, key), (other, other_key)))
        for source, key, other, other_key in context.rows(
            "SELECT fuente, paciente_id, otra_fuente, otro_paciente_id FROM hce.misma_persona"
        )
    }
    count, worst, details = 0, 0, []
    for people in _shared_records(context):
        for (one, left), (other, right) in combinations(people[:COMPARED], 2):
            what = contradictions(left, right)
            if what and frozenset((one, other)) not in confirmed:
                count, worst = count + 1, max(worst, len(what))
                if count <= SHOWN:
                    details.append(f"{words(one)} and {words(other)}: {_and(what)}")
    return _found(
        count,
        "pairs of Patients of one record contradict each other",
        details,
        "Patients of one record do not contradict each other, or are confirmed to be one person",
        Result.FAILED if worst >= CONTRADICTIONS_THAT_SEPARATE else Result.WARNING,
    )


def _shared_records(context: Context) -> Iterator[list[tuple[Patient, Traits]]]:
    """The Patients of each record that holds several."""
    query = sql.SQL(
        f"SELECT documento_id, fuente, id, {TRAIT_COLUMNS} FROM paciente"  # noqa: S608 - our own text
        " WHERE documento_id IN (SELECT documento_id FROM paciente GROUP BY documento_id HAVING count(*) > 1)"
        " ORDER BY documento_id, fuente, id"
    )
    rows = (row for chunk in fetched_in_chunks(context.conn, sql.Composed([query])) for row in chunk)
    for _, people in groupby(rows, key=lambda row: row[0]):
        yield [((source, key), traits_from_columns(*said)) for _, source, key, *said in people]


def _traits(context: Context, condition: str, values: Sequence[str]) -> list[tuple[str, Patient, Traits]]:
    """Document, source and id, traits of the Patients that a condition on one list of values fits."""
    rows = context.rows(
        f"SELECT documento_id, fuente, id, {TRAIT_COLUMNS} FROM paciente WHERE {condition} ORDER BY fuente, id",  # noqa: S608
        sorted(set(values)),
    )
    return [(document, (source, key), traits_from_columns(*said)) for document, source, key, *said in rows]


def _and(what: Iterable[str]) -> str:
    return " and ".join(what)


def one_number(context: Context) -> Finding:
    """Records with one number under RC, TI and CC: one person, who grew up, unless their Patients contradict it."""
    count, details = 0, []
    query = sql.SQL("SELECT documento_id FROM expediente WHERE documento_id ~ '^(RC|TI|NUIP)-[A-Z0-9]+$'")
    for chunk in fetched_in_chunks(context.conn, sql.Composed([query])):
        younger = {document.partition("-")[::2] for (document,) in chunk}
        asked = {(kind, number): [f"{k}-{number}" for k in NUIP[NUIP.index(kind) + 1 :]] for kind, number in younger}
        there = {
            document
            for (document,) in context.rows(
                "SELECT documento_id FROM expediente WHERE documento_id = ANY(%s)",
                sorted({document for documents in asked.values() for document in documents}),
            )
        }
        pairs = [(f"{k}-{n}", older) for (k, n), olders in sorted(asked.items()) for older in olders if older in there]
        people = defaultdict(list)
        for document, patient, said in _traits(context, "documento_id = ANY(%s)", [d for pair in pairs for d in pair]):
            people[document].append((patient, said))
        for young, old in pairs:
            both = [(a, b) for a in people[young] for b in people[old]]
            if both and not all(kept_apart(a[1], b[1]) for a, b in both):
                count += 1
                kinds = f"{young.partition('-')[0]} and {old.partition('-')[0]}"
                details.append(f"{kinds}: pyhce patient merge {words(both[0][0][0])} {words(both[0][1][0])}")
    return _found(
        count,
        "pairs of records have one number under RC, TI and CC",
        details,
        "no number is under two of RC, TI and CC",
    )


def links(context: Context) -> Finding:
    """Patients that say by `link` that another one replaces them, or that they replace it, in different records."""
    query = sql.SQL(
        "SELECT fuente, id, documento_id, l ->> 'type', l #>> '{other,reference}',"
        " hce.acortado(hce.clave(l -> 'other', 'Patient'))"
        " FROM paciente, jsonb_array_elements(hce.lista(recurso -> 'link')) AS e (l)"
        " WHERE recurso ? 'link' AND l ->> 'type' IN ('replaced-by', 'replaces')"
    )
    details = set()
    for chunk in fetched_in_chunks(context.conn, sql.Composed([query])):
        named = [
            (source, key, document, kind, *_linked(source, reference, other))
            for source, key, document, kind, reference, other in chunk
        ]
        there: dict[Patient, list[tuple[Patient, str]]] = defaultdict(list)
        for source, key, document, claves in context.rows(
            "SELECT fuente, id, documento_id, claves FROM paciente WHERE claves && %s::text[]",
            sorted({key for *_, key in named if key}),
        ):
            for clave in claves:
                there[source, clave].append(((source, key), document))
        for source, key, document, kind, other_source, other_key in named:
            others = there.get((other_source, other_key or ""), [])
            if len({place for _, place in others}) == 1 and others[0][1] != document:
                pair = [(source, key), others[0][0]] if kind == "replaced-by" else [others[0][0], (source, key)]
                details.add(f"pyhce patient merge {words(pair[0])} {words(pair[1])}")
    return _found(
        len(details),
        "Patients name another by link.replaced-by or replaces that is in another record",
        sorted(details),
        "what link.replaced-by and replaces name is in one record",
    )


def _linked(source: str, reference: str | None, key: str | None) -> tuple[str, str | None]:
    """The source and key of the Patient that a link names: a whole URL is one of another server."""
    if found := _URL.match(reference or ""):
        return found[1], found[2]
    return source, key


def waiting_by_identifier(context: Context) -> Finding:
    """Resources in provisional records that name their patient by an identifier that some Patient carries.

    Also in another source, as long as it is in dispute whose the document of that identifier is.
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
        *([f"{several} name an identifier that fits several records"] if several else []),
        *([f"{one} name an identifier that fits one record by now"] if one else []),
        *([f"{elsewhere} name the identifier of a document that is in dispute in another source"] if elsewhere else []),
    ]
    return _found(
        several + one + elsewhere,
        "resources wait in provisional records, as the identifier that they name did not fit one record",
        details,
        "no resource waits because the identifier of its patient fits several records",
    )


def _number(text: str) -> str:
    """The letters and digits of the number in a key (`identifier=system|10.203`) or a document (`CC-10203`)."""
    number = text.partition("|")[2] if text.startswith("identifier=") else text.partition("-")[2]
    return re.sub(r"[^A-Z0-9]", "", number.upper())


def one_identifier(context: Context) -> Finding:
    """Patients of different records that carry one identifier, unless they are kept apart or contradict each other."""
    shared = sql.SQL(
        "SELECT k FROM (SELECT unnest(claves) AS k, documento_id FROM paciente) AS e"
        " WHERE starts_with(k, 'identifier=') AND NOT starts_with(k, 'identifier=|')"
        " GROUP BY k HAVING min(documento_id) <> max(documento_id)"
    )
    noted = {(s, key) for s, key in context.rows("SELECT fuente, paciente_id FROM hce.documento_en_disputa")}
    details = set()
    for chunk in fetched_in_chunks(context.conn, sql.Composed([shared])):
        keys = sorted(key for (key,) in chunk)
        carriers: dict[str, dict[str, tuple[Patient, Traits]]] = defaultdict(dict)
        for document, source, key, claves, *said in context.rows(
            f"SELECT documento_id, fuente, id, claves, {TRAIT_COLUMNS}"  # noqa: S608 - our own text
            " FROM paciente WHERE claves && %s::text[] ORDER BY fuente, id",
            keys,
        ):
            if (source, key) not in noted:
                for clave in set(claves).intersection(keys):
                    carriers[clave].setdefault(document, ((source, key), traits_from_columns(*said)))
        for records in carriers.values():
            (_, first), *others = sorted(records.items(), key=lambda held: _rank(held[0]), reverse=True)
            for _, other in others:
                if not kept_apart(first[1], other[1]):
                    details.add(f"pyhce patient merge {words(other[0])} {words(first[0])}")
    return _found(
        len(details),
        "pairs of records hold Patients that carry one identifier and do not contradict each other",
        sorted(details),
        "no identifier is carried by Patients of two records that could be one person",
    )


def _rank(document: str) -> tuple[int, str]:
    """Which of two records a merge keeps: a national document rather than an issued one, that rather than none."""
    return (0 if document.startswith("PROV-") else 1 if "@" in document else 2), document


CHECKS = (
    FunctionCheck(
        "HCE0420", GROUP, "No Patient is kept apart from the record whose document it states",
        "If both are one person: pyhce patient merge FROM INTO, with the Patients as they are listed. Else correct the "
        "identifier at its source and load the Patient again.",
        apart,
    ),
    FunctionCheck(
        "HCE0421", GROUP, "Patients of one record do not contradict each other",
        "If they are one person, confirm it: pyhce patient merge FROM INTO, with both Patients as they are listed. "
        "If they are two: pyhce patient split DOCUMENTO --patient SOURCE/ID --to NEW.",
        contradicting,
    ),
    FunctionCheck(
        "HCE0422", GROUP, "One number is under one of RC, TI and CC",
        "Run the commands listed, where both records are one person's.", one_number,
    ),
    FunctionCheck(
        "HCE0423", GROUP, "Patients that replace each other are in one record",
        "Run the commands listed, where both records are one person's.", links,
    ),
    FunctionCheck(
        "HCE0424", GROUP, "The identifier that names a patient fits one record",
        "Merge the records that are one person's (pyhce patient merge): what waits goes there. Or correct the "
        "identifiers, and load the resources again: pyhce load --again.",
        waiting_by_identifier,
    ),
    FunctionCheck(
        "HCE0425", GROUP, "Patients that carry one identifier are in one record",
        "Run the commands listed, where both records are one person's.", one_identifier,
    ),
)  # fmt: skip
