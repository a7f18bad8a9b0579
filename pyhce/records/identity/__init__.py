"""Identity documents: the form of `documento_id`, and the rules that make it from identifiers; see docs/identity.md."""

from pyhce.records.identity.documents import (
    EvaluatedIdentifier,
    NoDocumentReason,
    codings_of,
    document_of_key,
    evaluated_identifiers,
    identifier_document,
    key_with_document,
    patient_document,
    split_key,
    system_of,
)
from pyhce.records.identity.grammar import (
    MAX_BYTES,
    PROVISIONAL,
    Document,
    check_document,
    fold_number,
    normalize_document,
    nuip_of,
    parse_document,
    provisional_document,
)
from pyhce.records.identity.packs import DEFAULT_RULES, PACKS, Choice, choose_rules, pack
from pyhce.records.identity.rules import DocumentRule, RuleSet, read_rules

__all__ = [
    "DEFAULT_RULES",
    "MAX_BYTES",
    "PACKS",
    "PROVISIONAL",
    "Choice",
    "Document",
    "DocumentRule",
    "EvaluatedIdentifier",
    "NoDocumentReason",
    "RuleSet",
    "check_document",
    "choose_rules",
    "codings_of",
    "document_of_key",
    "evaluated_identifiers",
    "fold_number",
    "identifier_document",
    "key_with_document",
    "normalize_document",
    "nuip_of",
    "pack",
    "parse_document",
    "patient_document",
    "provisional_document",
    "read_rules",
    "split_key",
    "system_of",
]
