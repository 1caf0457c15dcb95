"""Faults that really happen, and a count at the vendor of what came of it. `python -m tests.chaos --help`."""
