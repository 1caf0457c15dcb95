"""Calends on embedded parts, with nothing to prepare: broker, vendors, ledger, sample events and a worker."""
