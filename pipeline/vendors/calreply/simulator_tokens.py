"""The tokens of the simulated CalReply: who it gives them to, how long they are good for, and who is let in.

Nobody is let in after `revoke`. A refresh token is good once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl

from pipeline.model.wire import Response
from pipeline.vendors.calreply.simulator_answers import json_answer
from pipeline.vendors.calreply.simulator_checks import RefusedError, TokenRefusedError
from pipeline.vendors.simulated import basic_of


class Tokens:
    """`config`: `client_id`, `client_secret`, `access_seconds`, `refresh_seconds`."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._client = (str(config["client_id"]), str(config["client_secret"]))
        self._access_seconds = float(config.get("access_seconds", 300))
        self._refresh_seconds = float(config.get("refresh_seconds", 3600))
        self._access: dict[str, float] = {}
        self._refresh: dict[str, float] = {}
        self._made = 0
        self._revoked = False
        self.issued = {"client_credentials": 0, "refresh_token": 0, "refused": 0}

    def revoke(self) -> None:
        self._revoked = True
        self._access.clear()
        self._refresh.clear()

    def restore(self) -> None:
        self._revoked = False

    def answer(self, method: str, headers: Mapping[str, str], body: bytes, now: float) -> Response:
        try:
            return self._grant(method, headers, body, now)
        except TokenRefusedError as refused:
            self.issued["refused"] += 1
            more = {"www-authenticate": "Basic"} if refused.status == 401 else {}
            return json_answer(refused.status, {"error": refused.error}, more)

    def check_bearer(self, headers: Mapping[str, str], now: float) -> None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or self._access.get(token.strip(), 0.0) <= now:
            raise RefusedError(401, "the access token is missing, unknown or expired", "Unauthorized")

    def _grant(self, method: str, headers: Mapping[str, str], body: bytes, now: float) -> Response:
        if method != "POST":
            raise TokenRefusedError("invalid_request", 405)
        # Its samples show JSON, its text and three other sources say form data: only the form is taken.
        if headers.get("content-type", "").partition(";")[0].strip() != "application/x-www-form-urlencoded":
            raise TokenRefusedError("invalid_request")
        form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
        self._check_client(headers, form)
        grant = form.get("grant_type")
        if grant == "refresh_token":
            self._use_refresh(form.get("refresh_token", ""), headers, now)
        elif grant != "client_credentials":
            raise TokenRefusedError("unsupported_grant_type" if grant else "invalid_request")
        self.issued[grant] += 1
        return self._issue(now)

    def _check_client(self, headers: Mapping[str, str], form: Mapping[str, str]) -> None:
        basic = basic_of(headers)
        given = basic or (form.get("client_id", ""), form.get("client_secret", ""))
        if self._revoked or given != self._client:
            raise TokenRefusedError("invalid_client", 401 if basic else 400)

    def _use_refresh(self, token: str, headers: Mapping[str, str], now: float) -> None:
        if basic_of(headers) is None:  # the header is required to refresh
            raise TokenRefusedError("invalid_client")
        if self._refresh.pop(token, 0.0) <= now:  # used, unknown or too old
            raise TokenRefusedError("invalid_grant")

    def _issue(self, now: float) -> Response:
        access, refresh = self._secret_text("access"), self._secret_text("refresh")
        self._access = {token: end for token, end in self._access.items() if end > now}
        self._refresh = {token: end for token, end in self._refresh.items() if end > now}
        self._access[access] = now + self._access_seconds
        self._refresh[refresh] = now + self._refresh_seconds
        content = {
            "access_token": access,
            "token_type": "bearer",
            "expires_in": int(self._access_seconds),
            "refresh_token": refresh,
            "as:client_id": self._client[0],
            ".issued": formatdate(now, usegmt=True),
            ".expires": formatdate(now + self._access_seconds, usegmt=True),
        }
        return json_answer(200, content, {"cache-control": "no-store"})

    def _secret_text(self, kind: str) -> str:
        self._made += 1
        return hashlib.sha256(f"{kind} {self._made} {self._client[1]}".encode()).hexdigest()
