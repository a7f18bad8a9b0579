"""Makes documents by rules: from a Patient, from one identifier, or from a reference by identifier; or says why not."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple
from urllib.parse import quote, unquote

from pyhce.records.identity.check_digits import CHECKS
from pyhce.records.identity.countries import stated_country
from pyhce.records.identity.grammar import fold_number, issued_document, national_document
from pyhce.records.identity.rules import Codings, DocumentRule, RuleSet

_STATED = "&documento="
CHECK_DIGIT = "http://hl7.org/fhir/StructureDefinition/identifier-checkDigit"


class NoDocumentReason(StrEnum):
    """Why no document was made from an identifier."""

    NO_RULE = "no rule fits"
    NO_DOCUMENT = "no document by a rule"
    CHECK_DIGIT = "check digit or form wrong"
    NOT_A_NUMBER = "not a number of 1 to 40 letters and digits"
    NO_ISSUER = "no system to say who issued it"
    NO_COUNTRY = "no country stated"
    TOO_LONG = "longer than 512 bytes"


class EvaluatedIdentifier(NamedTuple):
    """What the rules make of an identifier.

    Args:
        rule: the position of the rule that applies, None without one.
        document: the document, None without one.
        why: the reason that the identifier gives no document; None if it gives one.
    """

    rule: int | None
    document: str | None
    why: NoDocumentReason | None


def patient_document(patient: dict[str, Any], rules: tuple[DocumentRule, ...]) -> str | None:
    """Return a Patient's identity document, None without one.

    Only the first rule that fits an identifier applies to it. Of several documents, the earliest rule's counts.
    """
    found = [result for _, result in evaluated_identifiers(patient, rules) if result.document is not None]
    return min(found, key=_position).document if found else None


def identifier_document(
    identifier: dict[str, Any], patient: dict[str, Any], rules: tuple[DocumentRule, ...]
) -> str | None:
    """Return the document of one identifier of a Patient, as if it had no others."""
    if identifier.get("use") == "old" or not _value(identifier):
        return None
    return evaluate_identifier(identifier, patient, rules if isinstance(rules, RuleSet) else RuleSet(rules)).document


def _position(result: EvaluatedIdentifier) -> int:
    return -1 if result.rule is None else result.rule


def evaluated_identifiers(
    patient: dict[str, Any], rules: tuple[DocumentRule, ...]
) -> list[tuple[dict[str, Any], EvaluatedIdentifier]]:
    """Return each identifier of a Patient that is in use and has a value, with what the rules make of it."""
    listed = patient.get("identifier")
    indexed = rules if isinstance(rules, RuleSet) else RuleSet(rules)
    return [
        (identifier, evaluate_identifier(identifier, patient, indexed))
        for identifier in (listed if isinstance(listed, list) else [])
        if isinstance(identifier, dict) and identifier.get("use") != "old" and _value(identifier)
    ]


def key_with_document(key: str, document: str) -> str:
    """Return the key of an identifier whose document does not follow from system and value alone.

    For example, under Colombia's RNEC only the type says that a number is a CE:
    `identifier=system|value&documento=CE-777`.
    """
    return f"{key}{_STATED}{quote(document, safe='')}"


def split_key(key: str) -> tuple[str, str | None]:
    """Split a key into `identifier=system|value` and the document that it states, None without one."""
    plain, mark, document = key.rpartition(_STATED)
    return (plain, unquote(document)) if mark and key.startswith("identifier=") else (key, None)


def document_of_key(key: str, rules: tuple[DocumentRule, ...]) -> str | None:
    """Return the document of a key: the one that it states, else the one that its system gives; None without one.

    A system gives none if the type of its identifiers decides. Colombia's RNEC, for example, has every kind of
    document, and a Chilean newborn may be sent with the mother's RUN.
    """
    plain, stated = split_key(key)
    if stated is not None:
        return stated
    system, mark, value = plain.removeprefix("identifier=").partition("|")
    if not key.startswith("identifier=") or not mark or not system:
        return None
    indexed = rules if isinstance(rules, RuleSet) else RuleSet(rules)
    if any(indexed[at].code is not None for at in indexed.rules_for_system(system)):
        return None
    return evaluate_identifier({"system": system, "value": value}, {}, indexed).document


def evaluate_identifier(identifier: dict[str, Any], patient: dict[str, Any], rules: RuleSet) -> EvaluatedIdentifier:
    """Return what the rules make of one identifier."""
    at = rules.first_match(system_of(identifier), codings_of(identifier))
    if at is None:
        return EvaluatedIdentifier(None, None, NoDocumentReason.NO_RULE)
    result = _apply_rule(rules[at], identifier, patient)
    if isinstance(result, NoDocumentReason):
        return EvaluatedIdentifier(at, None, result)
    return EvaluatedIdentifier(at, result, None)


def _apply_rule(rule: DocumentRule, identifier: dict[str, Any], patient: dict[str, Any]) -> str | NoDocumentReason:
    """Return the document of an identifier by the rule that fits it, or why there is none."""
    value, system = _value(identifier), system_of(identifier)
    if rule.type is None:
        return NoDocumentReason.NO_DOCUMENT
    if not rule.national:
        if not system or not system.strip():
            return NoDocumentReason.NO_ISSUER
        text = fold_number(value) if rule.fold else value
        if not text:
            return NoDocumentReason.NOT_A_NUMBER
        return issued_document(rule.type, text, system) or NoDocumentReason.TOO_LONG
    country = rule.country
    if rule.stated_country:
        country = stated_country(patient, identifier)
        if country is None:
            return NoDocumentReason.NO_COUNTRY
    if rule.check is not None:
        checked = CHECKS[rule.check](value, _check_digit(identifier))
        if checked is None:
            return NoDocumentReason.CHECK_DIGIT
        value = checked
    return national_document(country, rule.type, value) or NoDocumentReason.NOT_A_NUMBER


def system_of(identifier: dict[str, Any]) -> str | None:
    """Return an identifier's system, None without one."""
    system = identifier.get("system")
    return system if isinstance(system, str) else None


def codings_of(identifier: dict[str, Any]) -> Codings:
    """Return the codings of an identifier's type, each as code system and code."""
    kind = identifier.get("type")
    listed = kind.get("coding") if isinstance(kind, dict) else None
    return tuple(
        (coding["system"] if isinstance(coding.get("system"), str) else None, coding["code"])
        for coding in (listed if isinstance(listed, list) else [])
        if isinstance(coding, dict) and isinstance(coding.get("code"), str)
    )


def _value(identifier: dict[str, Any]) -> str:
    value = identifier.get("value")
    return value.strip() if isinstance(value, str) else ""


def _check_digit(identifier: dict[str, Any]) -> str | None:
    """Return the check digit that is transmitted as an extension of the identifier."""
    listed = identifier.get("extension")
    for extension in listed if isinstance(listed, list) else []:
        if isinstance(extension, dict) and extension.get("url") == CHECK_DIGIT:
            digit = extension.get("valueString")
            return digit if isinstance(digit, str) else None
    return None
