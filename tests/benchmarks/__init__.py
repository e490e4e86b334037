"""Benchmarks: `python -m tests.benchmarks` prints what RecallQL costs beside what it could be replaced by."""
