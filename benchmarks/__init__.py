"""Benchmarks: `python -m benchmarks` prints what RecallQL costs beside what it could be replaced by."""
