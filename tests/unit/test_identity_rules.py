"""Identity rules: the country packs, their check digits, and a site's own rules."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyhce.errors import UsageError
from pyhce.records.identity import (
    DEFAULT_RULES,
    PACKS,
    DocumentRule,
    NoDocumentReason,
    RuleSet,
    choose_rules,
    document_of_key,
    evaluated_identifiers,
    pack,
    patient_document,
    read_rules,
)
from pyhce.records.identity.check_digits import CHECKS, br_cns, cl_run, pe_dni, uy_ci
from pyhce.records.reading.reference import own_keys
from tests.shared.cases import expected_documents, patients

V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
RDA = "https://fhir.minsalud.gov.co/rda/CodeSystem/ColombianPersonIdentifier"
RNEC = "https://fhir.minsalud.gov.co/rda/NamingSystem/RNEC"
EIS = "https://interoperabilidad.minsal.cl/fhir/ig/eis/CodeSystem/eis-tipo-identificador-cs"
RUN = "http://regcivil.cl/Validacion/RUN"
SSN = "http://hl7.org/fhir/sid/us-ssn"
DIGIT = "http://hl7.org/fhir/StructureDefinition/identifier-checkDigit"
NATIONALITY = "https://fhir.minsalud.gov.co/rda/StructureDefinition/ExtensionPatientNationality"

CASE = "45-identity-packs"
PATIENTS, EXPECTED = patients(CASE), expected_documents(CASE)


def identifier(value: str, system: str | None = None, *codings: tuple[str, str], **members: Any) -> dict[str, Any]:
    kind = {"type": {"coding": [{"system": code_system, "code": code} for code_system, code in codings]}}
    return {"value": value, **({"system": system} if system else {}), **(kind if codings else {}), **members}


def document(*identifiers: Any, **members: Any) -> str | None:
    return patient_document({"resourceType": "Patient", "identifier": list(identifiers), **members}, DEFAULT_RULES)


def why(*identifiers: Any, **members: Any) -> list[NoDocumentReason | None]:
    found = evaluated_identifiers({"identifier": list(identifiers), **members}, DEFAULT_RULES)
    return [judged.why for _, judged in found]


def test_the_case_has_39_documents_and_6_wrong_check_digits() -> None:
    assert PATIENTS.keys() == EXPECTED.keys()
    wrong = [key for key in EXPECTED if key.startswith("wrong-")]
    assert (len(EXPECTED) - len(wrong), len(wrong)) == (39, 6)


@pytest.mark.parametrize("key", sorted(PATIENTS))
def test_an_identifier_as_in_its_countrys_guide_gives_the_countrys_document(key: str) -> None:
    assert patient_document(PATIENTS[key], DEFAULT_RULES) == EXPECTED[key]


@pytest.mark.parametrize("key", sorted(key for key in PATIENTS if key.startswith("wrong-")))
def test_a_wrong_check_digit_is_the_reason_for_no_document(key: str) -> None:
    assert why(*PATIENTS[key]["identifier"]) == [NoDocumentReason.CHECK_DIGIT]


@pytest.mark.parametrize("key", sorted(PATIENTS))
def test_a_reference_by_identifier_states_the_same_document_or_none(key: str) -> None:
    for name in own_keys(PATIENTS[key], key):
        assert document_of_key(name, DEFAULT_RULES) in (EXPECTED[key], None)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("identifier=http://www.renaper.gob.ar/dni|23.327.755", "AR.DNI-23327755"),
        ("identifier=https://rnds-fhir.saude.gov.br/NamingSystem/cpf|123.456.789-09", "BR.CPF-12345678909"),
        ("identifier=urn:oid:2.16.858.1.858.68909|1.234.567-2", "UY.CI-12345672"),
        ("identifier=urn:oid:2.16.858.1.32.68912|AB|1", "PPN-AB|1@urn:oid:2.16.858.1.32.68912"),
        (f"identifier={SSN}|999-47-1234", "US.SSN-999471234"),
        ("identifier=https://www.registraduria.gov.co/cedula|1.032", "CC-1032"),
        ("identifier=https://rnds-fhir.saude.gov.br/NamingSystem/cpf|123.456.789-00", None),
        (f"identifier={RNEC}|1032456789", None),
        (f"identifier={RUN}|15236327-3", None),
        ("identifier=|1", None),
        ("identifier=http://hospital.example/mrn|1", None),
        ("name=x", None),
    ],
)
def test_a_key_gives_a_document_if_its_system_alone_decides(key: str, said: str | None) -> None:
    assert document_of_key(key, DEFAULT_RULES) == said


@pytest.mark.parametrize(
    ("identifiers", "expected"),
    [
        ([identifier(" 1.032.456.789 ", "https://www.registraduria.gov.co/cedula")], "CC-1032456789"),
        ([identifier("999-12-3456", SSN, (V2, "SS"))], "US.SSN-999123456"),
        ([identifier("999-12-3456", "http://ss.example", (V2, "SS"))], "SS-999-12-3456@http://ss.example"),
        ([identifier("999-12-3456", None, (V2, "SS"))], None),
        ([identifier("a 12.3", "http://h.example/mrn", (V2, "MR"))], "MR-a%2012.3@http://h.example/mrn"),
        ([identifier("12", None, (V2, "MR"), assigner={"display": "Hospital"})], None),
        ([identifier("12", " ", (V2, "MR"))], None),
        ([identifier("1", "urn:oid:1.2.36", (V2, "NI"))], "NI-1@urn:oid:1.2.36"),
        ([identifier("1", SSN, (V2, "SS"), use="old")], None),
        ([identifier("9", "http://h.example", (V2, "MR")), identifier("1", None, (RDA, "CC"))], "CC-1"),
        ([identifier("1", None, (RDA, "TI")), identifier("2", None, (RDA, "CC"))], "CC-2"),
        ([identifier("12/3", None, (RDA, "CC"))], None),
        ([identifier("1" * 41, None, (RDA, "CC"))], None),
        ([identifier("1" * 500, "http://h.example", (V2, "MR"))], None),
        ([identifier("1", RNEC, (V2, "NI"))], None),
        ([identifier("15236327-3", RUN, (EIS, "2"))], None),
        ([identifier("15236327", RUN, (V2, "NNCHL"))], None),
        ([identifier("15.236.327-3", RUN, (V2, "NNCHL"), extension=[{"url": DIGIT, "valueString": "k"}])], None),
        ([identifier("23.327.755", "urn:oid:2.16.858.1.32.68909")], "CI-23327755@urn:oid:2.16.858.1.32.68909"),
        ([identifier("X", "http://other.example")], None),
        ([{"value": 5}, {"value": "1", "type": {"coding": [{"code": ["CC"], "system": RDA}]}}, "text", None], None),
    ],
)
def test_an_identifier_gives_the_document_of_its_first_rule(identifiers: list[Any], expected: str | None) -> None:
    assert document(*identifiers) == expected


@pytest.mark.parametrize("listed", [None, "text", {"value": "1"}, []])
def test_a_patient_without_identifiers_has_no_document(listed: object) -> None:
    assert patient_document({"identifier": listed}, DEFAULT_RULES) is None


def test_a_later_rule_does_not_apply_to_an_invalid_number() -> None:
    wrong = identifier("12345678900", "http://rnds.saude.gov.br/fhir/r4/NamingSystem/cpf", (V2, "NI"))
    assert document(wrong) is None
    assert document(wrong, identifier("7", "http://h.example", (V2, "MR"))) == "MR-7@http://h.example"


def test_every_reason_for_no_document_is_given() -> None:
    given = {
        NoDocumentReason.NO_RULE: identifier("1", "http://other.example"),
        NoDocumentReason.NO_DOCUMENT: identifier("1", RNEC),
        NoDocumentReason.CHECK_DIGIT: identifier("12", SSN),
        NoDocumentReason.NOT_A_NUMBER: identifier("1/2", None, (RDA, "CC")),
        NoDocumentReason.NO_ISSUER: identifier("1", None, (V2, "MR")),
        NoDocumentReason.NO_COUNTRY: identifier("1", None, (RDA, "PA")),
        NoDocumentReason.TOO_LONG: identifier("1" * 500, "http://h.example", (V2, "MR")),
        None: identifier("1", None, (RDA, "CC")),
    }
    assert why(*given.values()) == list(given)
    assert set(given) == {*NoDocumentReason, None}


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"extension": [{"url": NATIONALITY, "valueCoding": {"code": "032"}}]}, "AR.PA-AB1"),
        ({"extension": [{"url": NATIONALITY, "valueCoding": {"code": "170"}}]}, "PA-AB1"),
        (
            {
                "extension": [
                    {
                        "url": "http://hl7.org/fhir/StructureDefinition/patient-nationality",
                        "extension": [{"url": "code", "valueCodeableConcept": {"coding": [{"code": "VEN"}]}}],
                    }
                ]
            },
            "VE.PA-AB1",
        ),
        ({"extension": [{"url": NATIONALITY, "valueCoding": {"code": code}} for code in ("032", "170")]}, None),
        ({"extension": [{"url": NATIONALITY, "valueCoding": {"code": "Argentina"}}]}, None),
        ({"address": [{"country": "AR"}]}, None),
    ],
)
def test_a_colombian_passport_has_the_country_that_the_patient_states(
    members: dict[str, Any], expected: str | None
) -> None:
    assert document(identifier("ab-1", RNEC, (RDA, "PA")), **members) == expected


def test_the_country_of_the_identifier_has_precedence_over_the_nationality() -> None:
    passport = identifier("AB1", None, (RDA, "PA"))
    issuer = {"url": "x", "valueCodeableConcept": {"coding": [{"system": "urn:iso:std:iso:3166", "code": "152"}]}}
    passport["type"]["extension"] = [issuer]
    assert document(passport, extension=[{"url": NATIONALITY, "valueCoding": {"code": "032"}}]) == "CL.PA-AB1"


@pytest.mark.parametrize("name", CHECKS)
@given(value=st.text("0123456789ABK.- ", max_size=24), digit=st.none() | st.text("0123456789kK", max_size=2))
def test_a_check_gives_a_number_or_none_and_accepts_its_own_number(name: str, value: str, digit: str | None) -> None:
    number = CHECKS[name](value, digit)
    assert number is None or (number.isalnum() and CHECKS[name](number, None) in (number, None))


@given(st.integers(1_000_000, 99_999_999))
def test_a_chilean_number_has_one_check_digit_and_one_form(body: int) -> None:
    digits = [digit for digit in "0123456789K" if cl_run(f"{body}-{digit}", None)]
    assert len(digits) == 1
    dotted = f"{body:,}".replace(",", ".")
    ways = (
        cl_run(str(body), digits[0].lower()),
        cl_run(f"{dotted}-{digits[0]}", None),
        cl_run(f"{dotted}-{digits[0]}", digits[0]),
    )
    assert set(ways) == {f"{body}{digits[0]}"}


@given(st.integers(100_000, 9_999_999))
def test_a_uruguayan_number_has_one_check_digit(body: int) -> None:
    assert sum(uy_ci(f"{body}-{digit}", None) is not None for digit in range(10)) == 1


@given(st.integers(700_000_000_000_00, 999_999_999_999_99))
def test_a_brazilian_card_has_one_check_digit_at_most(body: int) -> None:
    assert sum(br_cns(f"{body}{digit}", None) is not None for digit in range(10)) <= 1


@pytest.mark.parametrize("number", ["184959687370903", "898001160660761", "", "7005089412345", "x" * 15])
def test_a_brazilian_card_of_another_form_is_refused(number: str) -> None:
    assert br_cns(number, None) == (number if number == "898001160660761" else None)


def test_a_peruvian_number_is_the_same_with_its_check_digit() -> None:
    assert (pe_dni("10117410", None), pe_dni("10117410-2", None), pe_dni("10117410-3", None)) == (
        "10117410",
        "10117410",
        None,
    )


def test_packs_are_chosen_by_name_alone_or_together() -> None:
    chosen = choose_rules("chile, colombia")
    assert list(chosen) == [*pack("chile"), *pack("colombia")]
    assert patient_document(PATIENTS["ar-ni"], chosen) is None
    assert list(choose_rules("ALL")) == list(choose_rules(None)) == [rule for name in PACKS for rule in pack(name)]


def test_the_environment_variable_gives_the_rules_if_nothing_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYHCE_IDENTITY_RULES", "chile,colombia")
    assert list(choose_rules(None)) == list(choose_rules("chile,colombia"))
    assert list(choose_rules("peru")) == list(pack("peru"))
    monkeypatch.setenv("PYHCE_IDENTITY_RULES", "atlantis")
    with pytest.raises(UsageError, match="atlantis"):
        choose_rules(None)


def test_rules_of_ones_own_are_mixed_with_packs(tmp_path: Path) -> None:
    path = tmp_path / "own, and more.json"
    path.write_text('[{"type": "MR", "system": ["urn:a", "urn:b"], "national": false, "fold": true}]')
    patient = {"identifier": [{"system": "urn:b", "value": "a-7"}]}
    assert patient_document(patient, read_rules(path)) == "MR-A7@urn:b"
    mixed = choose_rules([path, "colombia"])
    assert patient_document(patient, mixed) == patient_document(patient, choose_rules(str(path))) == "MR-A7@urn:b"
    assert patient_document(PATIENTS["co-rda-cc"], mixed) == "CC-1032456789"


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"type": "DNI", "sistem": "urn:oid:1.2"}, "sistem"),
        ({"type": "DNI", "code": "DNI"}, "a rule names a system"),
        ({"type": "DNI"}, "a rule names a system"),
        ({"type": "DNI", "system": "s", "code_system": "c"}, "'c' has no code"),
        ({"system": "s"}, "either a type or"),
        ({"type": "x", "system": "s"}, "'x' is not 1 to 16 capital"),
        ({"type": "PROV", "system": "s"}, "'PROV' is not"),
        ({"type": "DNI", "country": "ARG", "system": "s"}, "'ARG' is not an ISO 3166-1"),
        ({"type": "DNI", "country": "ZZ", "system": "s"}, "'ZZ' is not an ISO 3166-1"),
        ({"type": "DNI", "country": "AR", "system": "s", "national": False}, "national numbers only"),
        ({"type": "DNI", "check": "dni", "system": "s"}, "'dni' is not one of br-cns"),
        ({"type": "DNI", "system_pattern": "("}, "'(' is not a regular expression"),
        ({"type": "DNI", "system": "s", "fold": True}, "always folded"),
        ("text", "rule 1 is not an object"),
    ],
)
def test_an_invalid_rule_is_refused_with_its_value(tmp_path: Path, rule: Any, said: str) -> None:
    path = tmp_path / "rules.json"
    path.write_text(json.dumps([rule]))
    with pytest.raises(UsageError) as caught:
        read_rules(path)
    assert said in caught.value.wrong
    assert "rules.json: rule 1" in caught.value.wrong
    assert (caught.value.exit_code, "[{" in caught.value.remedy) == (2, True)


@pytest.mark.parametrize("text", ["", "{}", "[]", "1", '{"rules": 1}', "[1", "PK\x03"])
def test_a_file_without_rules_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "rules.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"rules\.json"):
        choose_rules(str(path))


@pytest.mark.parametrize("choice", ["atlantis", "colombia,atlantis", "missing.json", "", ",", []])
def test_an_unknown_pack_is_refused_with_its_name(choice: Any) -> None:
    with pytest.raises(UsageError) as caught:
        choose_rules(choice)
    named = str(choice).rpartition(",")[2] if choice else ""
    assert named in caught.value.wrong
    assert caught.value.exit_code == 2


kinds = st.sampled_from([None, "urn:a", "urn:b", RUN, SSN])
codings_given = st.lists(
    st.tuples(st.sampled_from([V2, RDA, EIS]), st.sampled_from(["CC", "MR", "1", "2", "*"])), max_size=3
)
a_rule = st.builds(
    lambda system, code, code_system: DocumentRule(
        type="T", system=system, code=code if code_system or system else None, code_system=code_system if code else None
    ),
    st.sampled_from(["urn:a", "urn:b", RUN]) | st.none(),
    st.sampled_from(["CC", "1", "*"]),
    st.sampled_from([V2, EIS]),
)


@given(st.lists(a_rule, max_size=8), kinds, codings_given)
def test_the_index_finds_the_same_first_rule_as_trying_all_rules(
    rules: list[DocumentRule], system: str | None, codings: list[Any]
) -> None:
    tried = next((at for at, rule in enumerate(rules) if rule.fits(system, codings)), None)
    assert RuleSet(rules).first_match(system, tuple(codings)) == tried


def test_every_rule_of_every_pack_can_be_the_first_match() -> None:
    for at, rule in enumerate(DEFAULT_RULES):
        system = rule.system or ("urn:oid:2.16.858.1.32." + rule.system_pattern[-5:] if rule.system_pattern else None)
        codings = ((rule.code_system, "2" if rule.code == "*" else rule.code),) if rule.code else ()
        assert DEFAULT_RULES.first_match(system, codings) == at


def test_a_run_with_hyphens_but_no_check_digit_is_not_another_persons_run() -> None:
    numbers = (str(number) for number in range(15_236_000, 15_237_000))
    number = next(n for n in numbers if cl_run(f"{n[:7]}-{n[7]}", None))
    assert cl_run(f"{number[:2]}-{number[2:5]}-{number[5:]}", None) is None
