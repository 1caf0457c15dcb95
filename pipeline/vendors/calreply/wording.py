"""How a call is put together: a part of a path, and a body of JSON."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from pipeline.model.wire import Request


def segment(text: str) -> str:
    return quote(text, safe=":")


def sent(method: str, path: str, body: dict[str, Any]) -> Request:
    text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    return Request(method, path, headers=(("content-type", "application/json"),), body=text.encode())
