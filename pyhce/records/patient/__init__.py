"""One patient's record, and the corrections that a person makes: re-key, merge, split."""

from pyhce.records.patient.corrections import CorrectionReport, merge, rekey
from pyhce.records.patient.people import people_of
from pyhce.records.patient.show import Entry, PatientRecord, patient
from pyhce.records.patient.split import split

__all__ = ["CorrectionReport", "Entry", "PatientRecord", "merge", "patient", "people_of", "rekey", "split"]
