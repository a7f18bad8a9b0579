"""One patient's record, and the corrections of documents that a person makes: re-key, merge, split."""

from pyhce.records.patient.corrections import CorrectionReport, merge, rekey
from pyhce.records.patient.patients import patient_keys
from pyhce.records.patient.record import Entry, PatientRecord, patient
from pyhce.records.patient.split import split

__all__ = ["CorrectionReport", "Entry", "PatientRecord", "merge", "patient", "patient_keys", "rekey", "split"]
