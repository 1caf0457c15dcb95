"""A static API key, raw in `Authorization`: no scheme word before it (API "Authentication", 2026-06)."""

from __future__ import annotations

from pipeline.model.wire import Credential, Request


def sign(request: Request, credential: Credential, _token: str | None) -> Request:
    return request.with_headers(("authorization", credential["api_key"]))
