"""Read FHIR files and prepare their resources for writing. Uses no database."""
