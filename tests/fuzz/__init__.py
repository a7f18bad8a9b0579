"""Inputs that nobody would write: real ones, changed by chance; see `python tests/run.py fuzz --minutes N`."""
