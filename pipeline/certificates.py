"""When a certificate ends, as its file says."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates


def ends_at(file: Path) -> datetime | None:
    """Of the first certificate in a PEM file, which is its owner's; None where there is none to read."""
    try:
        return load_pem_x509_certificates(file.read_bytes())[0].not_valid_after_utc
    except (OSError, ValueError):
        return None
