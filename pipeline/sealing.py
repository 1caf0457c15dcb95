"""Keeps what must not be read in the ledger: the first key of the key file writes, all of them read.

The only module that encrypts. A `repr` shows no key.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

SHORTEST = 32
"""Characters of a key: 16 random bytes in hex."""
MAX_FILE = 64 * 1024
"""Bytes."""


class KeysInvalid(ValueError):
    """A key file cannot be used; the message says why and quotes no key."""


class SealBroken(Exception):
    """None of the keys opens it."""


class Seal:
    def __init__(self, keys: list[str]) -> None:
        """`keys`: the newest first, each at least 32 characters."""
        self._fernet = MultiFernet([Fernet(base64.urlsafe_b64encode(_derived("seal", key))) for key in keys])
        self.hash_keys = [_derived("hash", key) for key in keys]

    @property
    def hash_key(self) -> bytes:
        """For keyed hashes in log lines."""
        return self.hash_keys[0]

    def close(self, value: bytes) -> bytes:
        return self._fernet.encrypt(value)

    def open(self, sealed: bytes) -> bytes:
        """Raises SealBroken."""
        try:
            return self._fernet.decrypt(sealed)
        except InvalidToken:
            raise SealBroken from None

    def __repr__(self) -> str:
        return "Seal()"


def read(file: Path) -> Seal:
    """A key file: one key a line, the newest first. Raises KeysInvalid."""
    try:
        with file.open("rb") as opened:
            found = opened.read(MAX_FILE + 1)
        keys = found.decode().split()
    except (OSError, ValueError):  # ValueError: a name, or a content, that is no text
        raise KeysInvalid("the file cannot be read") from None
    if len(found) > MAX_FILE:
        raise KeysInvalid("expected a file of keys, of at most 64 KiB")
    if not keys or any(len(key) < SHORTEST for key in keys):
        raise KeysInvalid(f"expected a key of at least {SHORTEST} characters on each line")
    return Seal(keys)


def _derived(purpose: str, key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=32, person=purpose.encode()).digest()
