"""Apptoto's credential: HTTP Basic, the account's user name and an API key in the place of its password.

OAuth 2 exists as well, by an authorization code that a person grants; nothing here asks for one.
"""

from __future__ import annotations

import base64

from pipeline.model.wire import Credential, Request


def sign(request: Request, credential: Credential, _token: str | None) -> Request:
    pair = f"{credential['user']}:{credential['api_key']}"
    return request.with_headers(("authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
