"""`pyhce export`: resources as NDJSON, with what a restore needs beside them."""
