"""Benchmarks, each a command: `python -m bench.load`, `bench.export`, `bench.save`. Compare ratios of one run only."""
