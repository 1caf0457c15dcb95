"""ECAL's signature: `md5(secret + sorted key and value + body)`, in the query beside the key."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from pipeline.model.wire import Credential, Request


def sign(request: Request, credential: Credential, _token: str | None) -> Request:
    """Add `apiKey` and `apiSign`. Values are signed as they are, before URL encoding; so is the body, byte for byte."""
    query = (*request.query, ("apiKey", credential["api_key"]))
    # Step 3 of Authentication appends the body "for POST/PUT": the one of a batch's DELETE is not signed.
    body = request.body if request.method in ("POST", "PUT") else b""
    return replace(request, query=(*query, ("apiSign", signature(credential["api_secret"], query, body))))


def signature(secret: str, query: tuple[tuple[str, str], ...], body: bytes) -> str:
    """The path is not part of it, and neither a time nor a nonce: a signed URL can be replayed, so it is a secret."""
    # Sorted by bytes (upper case first), as PHP's ksort does for text keys.
    pairs = sorted((name.encode(), value.encode()) for name, value in query)
    text = secret.encode() + b"".join(name + value for name, value in pairs) + body
    return hashlib.md5(text, usedforsecurity=False).hexdigest()
