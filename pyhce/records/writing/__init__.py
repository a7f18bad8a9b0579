"""Writes resources to the tables where they belong, each with its history.

| to find | look in |
|---|---|
| the order of locks, the gate | `locks`, `patient_locks` |
| retries, conflicts, the limit of 12 attempts | `retry` |
| a batch from its look-up to its rows | `assign`, `lookup`, `upsert` |
| a deletion and its tombstone | `remove` |
| the document that a patient key leads to | `patient_documents`, `patient_keys` |
| Patients that state the same document | `claims`, `manual_decisions` |
| a record or a resource that moves | `record_moves`, `resource_moves` |
| a resource that is stored several times | `deduplication` |
| the rows of an export, restored where they were | `exported_rows` |
| conditional creates | `condition_matches` |
| where a resource is stored, the SQL of a table | `row_location`, `table_sql` |
"""
