"""Proof that the tests can fail: small patches that break the code on purpose, and the tests that then go red."""
