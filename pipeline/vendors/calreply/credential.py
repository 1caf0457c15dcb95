"""CalReply's OAuth 2: client credentials, and refresh tokens that work once.

The vendor's samples post JSON and its text says form data; its successor and every client seen post a form, so do we.
Its refresh sample says `client_credentials` where its text says `refresh_token`: the text is right.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from pipeline.model.outcome import Rejected
from pipeline.model.wire import Credential, Request, Response, Token, object_of
from pipeline.vendors.contract import TokenFlow

_TOKEN = re.compile(r"[\x21-\x7e]{1,8192}")
"""It goes into a header, and servers take some 8 KiB of one."""
_CODE = re.compile(r"[a-z_]{1,64}")
_LONGEST = 366 * 86_400


def sign(request: Request, _credential: Credential, token: str | None) -> Request:
    return request.with_headers(("authorization", f"Bearer {token or ''}"))


def obtain(credential: Credential, options: Mapping[str, Any]) -> Request:
    if options.get("token_auth", "basic") == "form":
        secret = {"client_id": credential["client_id"], "client_secret": credential["client_secret"]}
        return _post({"grant_type": "client_credentials", **secret})
    return _post({"grant_type": "client_credentials"}, _basic(credential))


def renew(credential: Credential, _options: Mapping[str, Any], refresh: str) -> Request:
    """By header whatever `token_auth` says: a renewal requires it, and has no word for the secret (Refresh Tokens)."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh, "client_id": credential["client_id"]}
    return _post(form, _basic(credential))


def read(response: Response) -> Token | Rejected | None:
    """A token; Rejected for 400, 401 and 403; None for what cannot be read and for a server's fault."""
    body = object_of(response.body)
    if response.status in (400, 401, 403):
        code = body.get("error")
        readable = isinstance(code, str) and _CODE.fullmatch(code)
        return Rejected("invalid", str(code) if readable else f"http_{response.status}")
    return _token(body) if response.status == 200 else None


def _token(body: Mapping[str, Any]) -> Token | None:
    access, lives, refresh = body.get("access_token"), body.get("expires_in"), body.get("refresh_token")
    if not (isinstance(access, str) and _TOKEN.fullmatch(access)):
        return None
    if isinstance(lives, bool) or not isinstance(lives, int | float) or not 0 < lives < _LONGEST:
        return None
    return Token(access, float(lives), refresh if isinstance(refresh, str) and _TOKEN.fullmatch(refresh) else None)


def _basic(credential: Credential) -> tuple[str, str]:
    pair = f"{credential['client_id']}:{credential['client_secret']}"
    return ("authorization", f"Basic {base64.b64encode(pair.encode()).decode()}")


def _post(form: Mapping[str, str], *headers: tuple[str, str]) -> Request:
    kind = ("content-type", "application/x-www-form-urlencoded")
    return Request("POST", "/oauth2/token", headers=(kind, *headers), body=urlencode(form).encode())


TOKENS = TokenFlow(obtain=obtain, renew=renew, read=read)
