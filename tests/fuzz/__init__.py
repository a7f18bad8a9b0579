"""Fuzzing of the readers with randomly changed inputs: `python tests/run.py fuzz --minutes N`."""
