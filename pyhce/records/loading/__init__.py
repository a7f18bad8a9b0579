"""`pyhce load`: FHIR files into the database.

| to find | look in |
|---|---|
| the load from its arguments to its report | `load`, `report`, `state` |
| one file: quick and careful way | `file_loader` |
| lines that are dropped because they are stored already | `sieve`, `duplicates` |
| batches, threads, their order | `batch_writers` |
| the transaction of a batch | `batches` |
| files that were loaded whole and are passed over | `loaded_files` |
| the reject file | `reject_file` |
| conditional entries of bundles | `condition_answers` |
| deletions in a history | `deletions` |
| exports of pyhce, restored or loaded | `exports`, `exported_corrections` |
| counts about identity and about other versions of FHIR | `identity_counts`, `fhir_versions` |
"""
