"""Files to resources that are ready to be written; no database."""
