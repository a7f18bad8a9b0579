"""Writers at once for a long time: `python tests/run.py writers --minutes 30`."""
