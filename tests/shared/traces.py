"""What other tests may have left in a shared database, so that a test that depends on a clean one fails at once.

The sources sort before and after those of the tests, the ids are the ids that tests use, and of every kind of finding
there are more than `pyhce verify` lists. Nothing in it is a failure of `verify`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pyhce.records.source_names import SHOWN as SOURCES_SHOWN
from pyhce.verify import identity_checks, person_checks, reference_checks
from tests.shared.database import TestDatabase
from tests.shared.records import person, weight

IDS = ("p", "p1", "p2", "o", "o1", "o2", "w", "x", "a_b", "bad", "early", "g", "last", "late", "local")
OTHER = "https://other.example/fhir"
COLOMBIA = "https://fhir.minsalud.gov.co/rda/CodeSystem/ColombianPersonIdentifier"
ANA: dict[str, Any] = {"name": [{"family": "Kil", "given": ["Ana"]}], "gender": "female", "birthDate": "2003-04-19"}
LEO: dict[str, Any] = {"name": [{"family": "Har", "given": ["Leo"]}], "gender": "male", "birthDate": "1958-09-28"}


def leave_traces(db: TestDatabase) -> None:
    """Load them, and change some rows into what a crash or an older release leaves."""
    with TemporaryDirectory() as folder:
        for number in range(SOURCES_SHOWN + 2):
            _load(db, Path(folder), f"!left-{number:02}", _of_every_kind(f"7000{number}"))
        for source in ("!left", "~left"):
            _load(
                db, Path(folder), source, [*_of_every_kind("7999"), *_more_than_verify_lists(f"{source[0] == '~':d}")]
            )
        deletion = {"request": {"method": "DELETE", "url": "Observation/o2"}}
        _load(db, Path(folder), "~left", [{"resourceType": "Bundle", "type": "transaction", "entry": [deletion]}])
    db.conn.execute("INSERT INTO expediente (documento_id) VALUES ('CC-70000000')")
    db.conn.execute(
        "UPDATE observacion SET recurso = jsonb_set(recurso, '{subject,reference}', to_jsonb(%s::text))"
        " WHERE fuente = '~left' AND id = 'o1'",
        (f"{OTHER}/Patient/p",),
    )


def _load(db: TestDatabase, folder: Path, source: str, resources: list[Any]) -> None:
    path = folder / f"{len(list(folder.iterdir()))}.ndjson"
    path.write_text("".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in resources))
    db.load_paths([path], source=source, rejects=folder / "rejected.ndjson")


def _of_every_kind(cedula: str) -> list[Any]:
    """Resources of tests' ids: in a record, in none, waiting, of another server, with values that cannot be read."""
    flag = {"resourceType": "Flag", "status": "active", "code": {"text": "x"}, "subject": {"reference": "no reference"}}
    return [
        person("p", cedula, **ANA),
        *(weight(key, "Patient/p", effectiveDateTime="2024-02-30") for key in ("o", "o1", "o2")),
        *(weight(f"wait-{key}".replace("_", ""), f"Patient/{key}") for key in IDS if key != "p"),
        *(weight(f"absolute-{key}", f"{OTHER}/Patient/{key}") for key in ("p", "1")),
        weight("encounter", "Patient/p", encounter={"reference": "Encounter/nowhere"}),
        *(
            {**flag, "id": f"{key}-{n}".replace("_", "")}
            for key in ("bad", "odd")
            for n in range(reference_checks.SHOWN)
        ),
        {"resourceType": "Group", "id": "g", "type": "person", "actual": True},
        {"resourceType": "Bundle", "id": "nobody", "type": "document", "entry": []},
    ]


def _more_than_verify_lists(digit: str) -> Iterator[dict[str, Any]]:
    """Patients that are kept apart, that contradict each other in one record, and that may be one person."""
    assert identity_checks.NAMED < person_checks.SHOWN
    for n in range(person_checks.SHOWN + 1):
        yield person(f"apart-{n}", f"711{digit}{n:04}", **ANA)
        yield person(f"apart-other-{n}", f"711{digit}{n:04}", **LEO)
        yield person(f"sex-{n}", f"722{digit}{n:04}", **ANA)
        yield person(f"sex-other-{n}", f"722{digit}{n:04}", **{**ANA, "gender": "male"})
        for kind in ("TI", "CC"):
            identifier = {"type": {"coding": [{"system": COLOMBIA, "code": kind}]}, "value": f"733{digit}{n:04}"}
            yield {"resourceType": "Patient", "id": f"{kind}-{n}", "identifier": [identifier], **ANA}
        link = {"link": [{"other": {"reference": f"Patient/new-{n}"}, "type": "replaced-by"}]}
        yield person(f"old-{n}", f"744{digit}{n:04}", **link)
        yield person(f"new-{n}", f"755{digit}{n:04}")
