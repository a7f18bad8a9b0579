"""Long tests, run by name only: python tests/run.py soak."""
