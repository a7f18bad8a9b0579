"""Reads FHIR files and prepares their resources for writing. Uses no database.

| to find | look in |
|---|---|
| which files are read, and why others are not | `folders`, `signatures` |
| compression, encodings, progress in a file | `input_file` |
| a file to resources, deletions and rejects | `reader`, `incoming`; `first_value` for the form of a file |
| the size limit of a resource | `limits` |
| where a JSON value ends | `splitter`, `nesting` |
| bundles of any size and their entries | `bundles`, `entries`, `spool` |
| requests of entries, conditional entries | `requests`, `conditions` |
| documents and messages, which stay whole | `whole_bundles` |
| a resource or a line to what is stored | `prepared`, `exact_json` |
| references and the patient that they name | `reference`, `stored_references`, `bases` |
| ids that FHIR does not allow | `ids`, `repair_ids` |
| manifests and exports | `manifest`, `manifest_lists`, `finished_export`, `exported_rows` |
| `--strict` | `strict`, `checks` |
"""
