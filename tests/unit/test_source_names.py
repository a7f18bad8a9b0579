"""Names of sources: what a load refuses, and what a folder of an export is called."""

from __future__ import annotations

import pytest

from pyhce.errors import UsageError, printable
from pyhce.records.exporting.manifest import _folder_name
from pyhce.records.source_names import check_source


@pytest.mark.parametrize(
    "name", ["", "hospital-norte", "a b", "..", ".", "a/b", "manifest.json", "ñ", "x" * 200, "[/b]"]
)
def test_a_valid_source_name_is_returned_unchanged(name: str) -> None:
    assert check_source(name) == name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (" ", "begins or ends with white space"), ("a ", "begins or ends with white space"),
        ("x" * 201, "has 201 characters, the maximum is 200"), ("a\nb", "unprintable"), ("a\0", "unprintable"),
        ("caf\udce9", "not UTF-8"),
    ],
)  # fmt: skip
def test_an_invalid_source_name_is_refused_with_the_rule(name: str, words: str) -> None:
    with pytest.raises(UsageError, match="Give a short name") as refused:
        check_source(name)
    assert words in refused.value.wrong


def test_a_source_folder_never_has_the_name_of_a_file_of_the_export() -> None:
    names = [
        "manifest.json",
        "Patient.ndjson",
        "PATIENT.NDJSON",
        "a.gz",
        "records.rows",
        "Patient.history",
        ".",
        "..",
        ".export",
        "a/b",
        "a%2Fb",
        "x" * 150,
    ]
    folders = [_folder_name(name) for name in names]
    assert len(set(folders)) == len(names)
    assert not [name for name in folders if name.lower().endswith((".json", ".ndjson", ".gz")) or name[0] == "."]
    assert all("/" not in name and len(name.encode()) < 255 for name in folders)
    assert _folder_name("hospital-norte") == "hospital-norte"
    assert _folder_name("https://ehr.example/fhir") == "https%3A%2F%2Fehr.example%2Ffhir"


def test_unprintable_characters_are_shown_as_escapes() -> None:
    assert printable("ni\udcf1o") == r"ni\xf1o"
    assert printable("\ud800") == r"\ud800"
    assert printable("niño [/b]") == "niño [/b]"
    assert UsageError("ni\udcf1o", remedy="ni\udcf1o").wrong == r"ni\xf1o"
