"""When a certificate ends, as its file says."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates

MAX_FILE = 1 << 20
"""Bytes that are looked at."""


def ends_at(file: Path) -> datetime | None:
    """Of the first certificate in a PEM file, which is its owner's; None where there is none to read."""
    try:
        with file.open("rb") as opened:
            return load_pem_x509_certificates(opened.read(MAX_FILE))[0].not_valid_after_utc
    except (OSError, ValueError):
        return None
