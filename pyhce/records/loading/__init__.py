"""`pyhce load`: FHIR files into the database."""
