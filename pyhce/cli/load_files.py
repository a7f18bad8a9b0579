"""What a load says of files: those that it did not read, those of another version of FHIR, those to look at."""

from __future__ import annotations

from pyhce.cli.output import console
from pyhce.records.loading.report import FilesNoted, LoadReport

_NAMED = 5
"""Files of one kind that are named on the screen; the JSON report names more."""


def show_files(report: LoadReport) -> None:
    """A line for each kind of file of which something is to be said."""
    for noted in report.not_read:
        console.print(f"  {_count(noted)} not read: {noted.what} ({_named(noted)})")
    for noted in report.noted:
        console.print(f"  {_count(noted)} with {noted.what} ({_named(noted)})")
    for found in report.other_versions:
        signs = ", ".join(found.elements)
        console.print(
            f"  {found.resources:>8} resources of FHIR {found.version} in {found.file} ({signs}): stored as they came, "
            "typed columns can be empty; convert them to R4",
        )
    if report.other_versions_rest:
        console.print(f"  {report.other_versions_rest:>8} more files of other versions of FHIR")


def _count(noted: FilesNoted) -> str:
    return f"{noted.count:>8} {'file' if noted.count == 1 else 'files'}"


def _named(noted: FilesNoted) -> str:
    shown = noted.files[:_NAMED]
    return ", ".join(shown) + (", …" if noted.count > len(shown) else "")
