"""Patients' records: identity, load, save, export, corrections of documents, erasure."""
