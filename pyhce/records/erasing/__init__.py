"""`pyhce erase`."""
