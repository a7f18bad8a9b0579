"""Who a patient is: the form of `documento_id`, and the rules that make it of identifiers; see docs/identity.md."""

from pyhce.records.identity.documents import (
    Judged,
    Why,
    codings_of,
    document_by,
    document_of_key,
    documents_of,
    judged_identifiers,
    plain_key,
    stating,
    system_of,
)
from pyhce.records.identity.grammar import (
    MAX_BYTES,
    PROVISIONAL,
    Document,
    check_document,
    folded,
    nuip_of,
    parsed,
    provisional,
    typed_document,
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
    "Judged",
    "RuleSet",
    "Why",
    "check_document",
    "choose_rules",
    "codings_of",
    "document_by",
    "document_of_key",
    "documents_of",
    "folded",
    "judged_identifiers",
    "nuip_of",
    "pack",
    "parsed",
    "plain_key",
    "provisional",
    "read_rules",
    "stating",
    "system_of",
    "typed_document",
]
