"""`pyhce load`."""
