"""A patient's identity document: by configured rules on the identifiers, normalised, else provisional.

A document is never in a log, an error text or a URL.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pyhce.errors import UsageError
from pyhce.schema.model import Frozen

PROVISIONAL = "PROV-"
_DOCUMENT = re.compile(r"^[A-Z][A-Z0-9]{0,15}-\S{1,500}\Z")
_V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
_COLOMBIA = "https://fhir.minsalud.gov.co/rda/CodeSystem/ColombianPersonIdentifier"


class DocumentRule(Frozen):
    """Which identifiers are identity documents; the rules are tried in order, each over all identifiers.

    Args:
        type: what the document begins with, such as CC.
        system: the identifier's system, exactly; any if None.
        code: a code of the identifier's type; any if None.
        code_system: the system of that code; any if None.
        national: whether the number is unique in the country; if not, it carries its issuer.
    """

    type: str
    system: str | None = None
    code: str | None = None
    code_system: str | None = None
    national: bool = True

    def fits(self, identifier: dict[str, Any]) -> bool:
        """Whether an identifier is of this kind."""
        if self.system is not None and identifier.get("system") != self.system:
            return False
        if self.code is None:
            return self.system is not None
        kind = identifier.get("type")
        codings = kind.get("coding") if isinstance(kind, dict) else None
        return any(
            isinstance(c, dict)
            and c.get("code") == self.code
            and (self.code_system is None or c.get("system") == self.code_system)
            for c in (codings if isinstance(codings, list) else [])
        )


DEFAULT_RULES: tuple[DocumentRule, ...] = (
    *(
        DocumentRule(type=code, code=code, code_system=_COLOMBIA)
        for code in ("CC", "CE", "TI", "RC", "PT", "PE", "CN", "DNI", "NUIP")
    ),
    DocumentRule(type="CC", system="https://www.registraduria.gov.co/cedula"),
    DocumentRule(type="PA", code="PA", code_system=_COLOMBIA, national=False),
    DocumentRule(type="NI", code="NI", code_system=_V2),
    DocumentRule(type="SS", code="SS", code_system=_V2),
    DocumentRule(type="PPN", code="PPN", code_system=_V2, national=False),
    DocumentRule(type="DL", code="DL", code_system=_V2, national=False),
    DocumentRule(type="MR", code="MR", code_system=_V2, national=False),
)
"""Colombian documents, then HL7's identifier types (https://terminology.hl7.org/CodeSystem-v2-0203.html)."""


def read_rules(path: Path) -> tuple[DocumentRule, ...]:
    """Rules from a JSON file: a list of objects with the members of `DocumentRule`.

    Raises:
        UsageError: the file is not there or not that.
    """
    try:
        return TypeAdapter(tuple[DocumentRule, ...]).validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", remedy="Give a readable file of identity rules.") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"{path}: {where}: {first['msg']}",
            remedy='Write a JSON list such as [{"type": "CC", "system": "https://…", "national": true}].',
        ) from error


def documents_of(patient: dict[str, Any], rules: tuple[DocumentRule, ...]) -> str | None:
    """The identity document that a Patient carries, None if it carries none."""
    listed = patient.get("identifier")
    identifiers = [i for i in (listed if isinstance(listed, list) else []) if isinstance(i, dict)]
    for rule in rules:
        for identifier in identifiers:
            found = document_by(rule, identifier)
            if found:
                return found
    return None


def document_of_key(key: str, rules: tuple[DocumentRule, ...]) -> str | None:
    """The document that `identifier=system|value` is by its system alone, None if that does not tell."""
    if not key.startswith("identifier=") or "|" not in key:
        return None
    system, value = key.removeprefix("identifier=").split("|", 1)
    identifier = {"system": system, "value": value}
    return next((found for rule in rules if rule.code is None and (found := document_by(rule, identifier))), None)


def document_by(rule: DocumentRule, identifier: dict[str, Any]) -> str | None:
    """An identifier as a document by one rule, None if the rule does not fit or the value is not usable."""
    value = identifier.get("value")
    if not isinstance(value, str) or identifier.get("use") == "old" or not rule.fits(identifier):
        return None
    number = normalised(value, national=rule.national)
    if not number:
        return None
    if rule.national:
        return f"{rule.type}-{number}"
    issuer = _issuer(identifier)
    return f"{rule.type}-{issuer}-{number}" if issuer else None


def normalised(value: str, *, national: bool) -> str:
    """A number without case, dots and spaces; a national one without hyphens too."""
    text = unicodedata.normalize("NFKC", value).upper()
    return re.sub(r"[.\s\x00-\x1f\ud800-\udfff-]" if national else r"[.\s\x00-\x1f\ud800-\udfff]", "", text)


def _issuer(identifier: dict[str, Any]) -> str:
    assigner = identifier.get("assigner")
    text = identifier.get("system") or (assigner.get("display") if isinstance(assigner, dict) else None) or ""
    if not isinstance(text, str):
        return ""
    plain = unicodedata.normalize("NFKD", text).upper()  # accents apart from their letters, to be left out
    return re.sub(r"[^A-Z0-9.:/]+", "", re.sub(r"^(HTTPS?://|URN:OID:)", "", plain)).strip("/")


def provisional(fuente: str, key: str) -> str:
    """The document of a patient who has none yet: always the same for the same source and key."""
    return PROVISIONAL + hashlib.sha256(f"{fuente}\n{key}".encode()).hexdigest()[:32]


def check_document(value: str, what: str) -> str:
    """A document that a person typed, normalised.

    Raises:
        UsageError: it is not `<type>-<number>`.
    """
    kind, _, number = value.strip().partition("-")
    carries_issuer = "-" in number and any(c.isalpha() for c in number.rsplit("-", 1)[0])
    plain = re.sub(r"\s", "", number.upper()) if carries_issuer else normalised(number, national=True)
    text = f"{kind.upper()}-{plain}"
    if text.startswith(PROVISIONAL):
        text = PROVISIONAL + number.strip().lower()
    if not _DOCUMENT.match(text):
        raise UsageError(
            f"the document given as {what} is not <type>-<number>",
            remedy="For example CC-1032456789: the type in letters, a hyphen, the number.",
        )
    return text
