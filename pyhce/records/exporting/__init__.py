"""`pyhce export`."""
