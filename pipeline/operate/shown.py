"""Requests as people may see them: complete, but for what is secret."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pipeline.model.wire import Credential, Request, json_or_text
from pipeline.rules.adapt import DestinationView
from pipeline.settings import Settings

MASK = "***"


@dataclass(frozen=True, slots=True)
class Shown:
    """A request as people may see it, secrets masked. `body` is JSON where the request's is, else text; None: none."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: Any

    def text(self) -> str:
        lines = [f"{self.method} {self.url}", *(f"{name}: {value}" for name, value in self.headers.items())]
        if self.body is None:
            return "\n".join(lines)
        body = self.body if isinstance(self.body, str) else json.dumps(self.body, indent=2, ensure_ascii=False)
        return "\n".join([*lines, "", body])


def unsent(unsigned: Request, view: DestinationView, settings: Settings) -> Shown:
    """A request that nobody sends, as it would be sent; no credential is read."""
    return shown(unsigned, view.vendor.sign(unsigned, placeholders(view), MASK), base_url_of(view, settings))


def base_url_of(view: DestinationView, settings: Settings) -> str:
    return settings.account_of(view.name)[1].base_url or view.vendor.defaults.base_url


def shown(unsigned: Request, signed: Request, base_url: str) -> Shown:
    """A request without secrets: what signing added is masked, whatever it is; the body is there in full."""
    pairs = []
    for name, value in signed.query:
        public = (name, value) in unsigned.query
        pairs.append(f"{quote(name, safe='')}={quote(value, safe='') if public else MASK}")
    query = "?" + "&".join(pairs) if pairs else ""
    base = re.sub(r"//[^/]*@", f"//{MASK}@", base_url.rstrip("/"))
    headers = {name: value if (name, value) in unsigned.headers else _masked(value) for name, value in signed.headers}
    return Shown(signed.method, f"{base}{signed.path}{query}", headers, _readable(signed.body))


def placeholders(view: DestinationView) -> Credential:
    return Credential({secret.name: MASK for secret in view.vendor.secrets})


def _masked(value: str) -> str:
    scheme = re.match(r"(Bearer|Basic) ", value)
    return f"{scheme[0] if scheme else ''}{MASK}"


def _readable(body: bytes | None) -> Any:
    text = (body or b"").decode("utf-8", "replace")
    return json_or_text(text) if text else None
