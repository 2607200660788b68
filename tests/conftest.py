"""Fixtures of all tests. What they are is told at the top of `tests/engines.py`."""

pytest_plugins = ("tests.engines", "tests.cluster")
