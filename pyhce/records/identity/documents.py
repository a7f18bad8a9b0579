"""Documents made by rules: of a Patient, of one identifier, of a reference by identifier; else why there is none."""

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
    """Why an identifier made no document."""

    NO_RULE = "no rule fits"
    NO_DOCUMENT = "no document by a rule"
    CHECK_DIGIT = "check digit or form wrong"
    NOT_A_NUMBER = "not a number of 1 to 40 letters and digits"
    NO_ISSUER = "no system to say who issued it"
    NO_COUNTRY = "no country stated"
    TOO_LONG = "longer than 512 bytes"


class EvaluatedIdentifier(NamedTuple):
    """What an identifier is by the rules.

    Args:
        rule: the position of the rule that fits, None if none does.
        document: the document, None if it makes none.
        why: why it makes none.
    """

    rule: int | None
    document: str | None
    why: NoDocumentReason | None


def patient_document(patient: dict[str, Any], rules: tuple[DocumentRule, ...]) -> str | None:
    """The identity document that a Patient carries, None if it carries none.

    An identifier is judged by the first rule that fits it, and by no other; among the documents the one by the earliest
    rule is taken.
    """
    found = [judged for _, judged in evaluated_identifiers(patient, rules) if judged.document is not None]
    return min(found, key=_position).document if found else None


def identifier_document(
    identifier: dict[str, Any], patient: dict[str, Any], rules: tuple[DocumentRule, ...]
) -> str | None:
    """The document that one identifier of a Patient makes, as if it were the only one."""
    if identifier.get("use") == "old" or not _value(identifier):
        return None
    return evaluate_identifier(identifier, patient, rules if isinstance(rules, RuleSet) else RuleSet(rules)).document


def _position(judged: EvaluatedIdentifier) -> int:
    return -1 if judged.rule is None else judged.rule


def evaluated_identifiers(
    patient: dict[str, Any], rules: tuple[DocumentRule, ...]
) -> list[tuple[dict[str, Any], EvaluatedIdentifier]]:
    """Each identifier of a Patient that is in use and has a value, with what it is."""
    listed = patient.get("identifier")
    indexed = rules if isinstance(rules, RuleSet) else RuleSet(rules)
    return [
        (identifier, evaluate_identifier(identifier, patient, indexed))
        for identifier in (listed if isinstance(listed, list) else [])
        if isinstance(identifier, dict) and identifier.get("use") != "old" and _value(identifier)
    ]


def key_with_document(key: str, document: str) -> str:
    """The key of an identifier that its system and value do not tell, such as a number under Colombia's RNEC.

    `identifier=system|value&documento=CE-777`: the type of the identifier said that it is this document.
    """
    return f"{key}{_STATED}{quote(document, safe='')}"


def split_key(key: str) -> tuple[str, str | None]:
    """The part `identifier=system|value` of a key, and the document that the key states, None if it states none."""
    plain, mark, document = key.rpartition(_STATED)
    return (plain, unquote(document)) if mark and key.startswith("identifier=") else (key, None)


def document_of_key(key: str, rules: tuple[DocumentRule, ...]) -> str | None:
    """The document of `identifier=system|value`: the one that it states, else by its system, None if that tells none.

    It does not where the type of an identifier of that system decides: Colombia's RNEC gives every kind of document,
    and a Chilean newborn is sent with the mother's RUN.
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
    """What one identifier is by the rules."""
    at = rules.first_match(system_of(identifier), codings_of(identifier))
    if at is None:
        return EvaluatedIdentifier(None, None, NoDocumentReason.NO_RULE)
    made = _made(rules[at], identifier, patient)
    return (
        EvaluatedIdentifier(at, None, made)
        if isinstance(made, NoDocumentReason)
        else EvaluatedIdentifier(at, made, None)
    )


def _made(rule: DocumentRule, identifier: dict[str, Any], patient: dict[str, Any]) -> str | NoDocumentReason:
    """The document of an identifier by the rule that fits it, or why there is none."""
    value, system = _value(identifier), system_of(identifier)
    if rule.type is None:
        return NoDocumentReason.NO_DOCUMENT
    if not rule.national:
        if not system or not system.strip():
            return NoDocumentReason.NO_ISSUER
        text = fold_number(value) if rule.fold else value
        return (
            (issued_document(rule.type, text, system) or NoDocumentReason.TOO_LONG)
            if text
            else NoDocumentReason.NOT_A_NUMBER
        )
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
    """The identifier's system."""
    system = identifier.get("system")
    return system if isinstance(system, str) else None


def codings_of(identifier: dict[str, Any]) -> Codings:
    """The codings of the identifier's type: code system and code."""
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
    """The check digit that is sent as an extension of the identifier."""
    listed = identifier.get("extension")
    for extension in listed if isinstance(listed, list) else []:
        if isinstance(extension, dict) and extension.get("url") == CHECK_DIGIT:
            digit = extension.get("valueString")
            return digit if isinstance(digit, str) else None
    return None
